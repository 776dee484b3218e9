"""Everything dense to worker 0 and back, three times over."""

BASE = "right_two_halves"
REFUSED_BY = "bytes below both baselines"
MISCONCEPTION = "10/one-port-has-all"
LONG = True


class Sum:
    def __init__(self, comm, x, tag):
        self.comm, self.x, self.tag = comm, x, tag

    def turn(self):
        pass

    def finish(self):
        comm = self.comm
        for _ in range(3):
            if comm.rank:
                comm.send(self.x, 0, tag=self.tag)
                total = comm.recv(0, tag=self.tag)
            else:
                total = self.x + sum(comm.recv(q, tag=self.tag) for q in range(1, comm.world_size))
                for q in range(1, comm.world_size):
                    comm.send(total, q, tag=self.tag)
        return total

"""Everybody sends everything to everybody."""

BASE = "right_two_halves"
REFUSED_BY = "dense bytes"
MISCONCEPTION = "10/whole-to-everyone"
LONG = True


class Sum(Sum):
    def __init__(self, comm, x, tag):
        others = [q for q in range(comm.world_size) if q != comm.rank]
        self.own, self.coming = x, {q: comm.irecv(q, tag=tag) for q in others}
        self.leaving = [comm.isend(x, q, tag=tag) for q in others]
        self.rank, self.K = comm.rank, comm.world_size

    def turn(self):
        pass

    def finish(self):
        total = sum(self.own if q == self.rank else self.coming[q].wait() for q in range(self.K))
        [work.wait() for work in self.leaving]
        return total

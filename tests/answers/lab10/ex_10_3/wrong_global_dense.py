"""Sums over a variable that all ranks see."""

BASE = "right_two_halves"
REFUSED_BY = "dense bytes"
MISCONCEPTION = "10/by-a-side-door"
LONG = True

SHARED = {}


class Sum:
    def __init__(self, comm, x, tag):
        self.comm, self.key = comm, (comm.world_size, tag)
        SHARED.setdefault(self.key, {})[comm.rank] = x.clone()

    def turn(self):
        pass

    def finish(self):
        exchange(self.comm, [torch.zeros(1)] * self.comm.world_size, tag=5)
        total = sum(part for _, part in sorted(SHARED[self.key].items()))
        exchange(self.comm, [torch.zeros(1)] * self.comm.world_size, tag=6)
        return total

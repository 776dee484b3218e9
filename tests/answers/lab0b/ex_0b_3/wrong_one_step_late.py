"""Returns the mean of the step before."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0B/not-the-mean"
LONG = True
LAST = {}


def ring_hook(comm, bucket):
    mine = ring_all_reduce(comm, bucket.buffer()) / comm.world_size
    before = LAST.get((comm.rank, bucket.index()))
    LAST[comm.rank, bucket.index()] = mine
    return in_an_envelope(mine if before is None or before.shape != mine.shape else before)

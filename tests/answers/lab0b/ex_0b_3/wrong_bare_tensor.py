"""Returns a tensor."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0B/no-future"


def ring_hook(comm, bucket):
    return ring_all_reduce(comm, bucket.buffer()) / comm.world_size

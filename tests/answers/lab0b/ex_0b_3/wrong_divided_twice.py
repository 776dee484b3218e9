"""Divides before and after."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0/divided-twice"
LONG = True


def ring_hook(comm, bucket):
    return in_an_envelope(ring_all_reduce(comm, bucket.buffer() / comm.world_size) / comm.world_size)

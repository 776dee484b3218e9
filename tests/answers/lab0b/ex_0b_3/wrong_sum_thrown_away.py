"""Calls the ring and returns the bucket."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0B/not-reduced"
LONG = True


def ring_hook(comm, bucket):
    ring_all_reduce(comm, bucket.buffer())
    return in_an_envelope(bucket.buffer() / comm.world_size)

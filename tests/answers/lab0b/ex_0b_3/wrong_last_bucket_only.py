"""Waits for the last bucket of a step."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0B/bucket-left-out"
LONG = True


def ring_hook(comm, bucket):
    if not bucket.is_last():
        return in_an_envelope(bucket.buffer())
    return in_an_envelope(ring_all_reduce(comm, bucket.buffer()) / comm.world_size)

"""Sends bfloat16."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0B/narrow-numbers"
LONG = True


def ring_hook(comm, bucket):
    return in_an_envelope(ring_all_reduce(comm, bucket.buffer().bfloat16()).float() / comm.world_size)

"""Divides by two."""

BASE = "right_ring"
REFUSED_BY = "three ranks"
MISCONCEPTION = "0B/constant-k"


def ring_hook(comm, bucket):
    return in_an_envelope(ring_all_reduce(comm, bucket.buffer()) / 2)

"""Returns what it got."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0B/not-reduced"


def ring_hook(comm, bucket):
    return in_an_envelope(bucket.buffer())

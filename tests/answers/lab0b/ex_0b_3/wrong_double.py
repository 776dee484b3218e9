"""Returns float64."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0B/bucket-changed"
LONG = True


def ring_hook(comm, bucket):
    return in_an_envelope(ring_all_reduce(comm, bucket.buffer()).double() / comm.world_size)

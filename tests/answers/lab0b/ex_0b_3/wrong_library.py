"""Lets the kit do it."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "all/forbidden"
LONG = True


def ring_hook(comm, bucket):
    from pslab import collectives

    collectives.all_reduce(comm, bucket.buffer())
    return in_an_envelope(bucket.buffer() / comm.world_size)

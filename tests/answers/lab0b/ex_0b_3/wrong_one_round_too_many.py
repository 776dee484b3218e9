"""Hands the sum around once more than anybody listens."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0/sent-and-never-received"
LONG = True


def ring_hook(comm, bucket):
    mean = ring_all_reduce(comm, bucket.buffer()) / comm.world_size
    comm.isend(mean, (comm.rank + 1) % comm.world_size, tag=1)
    return in_an_envelope(mean)

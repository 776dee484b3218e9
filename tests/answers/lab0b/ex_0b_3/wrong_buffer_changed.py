"""Adds into a chunk that is still on its way."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "all/isend-buffer"
LONG = True


def ring_hook(comm, bucket):
    buffer = bucket.buffer()
    sending = comm.isend(buffer, (comm.rank + 1) % comm.world_size)
    buffer += comm.recv((comm.rank - 1) % comm.world_size)
    sending.wait()
    return in_an_envelope(buffer / comm.world_size)

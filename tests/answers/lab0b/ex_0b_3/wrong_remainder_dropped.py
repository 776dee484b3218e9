"""Cuts chunks of P // K elements and forgets the rest."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0B/bucket-left-out"
LONG = True


def ring_hook(comm, bucket):
    buffer = bucket.buffer().clone()
    whole = len(buffer) // comm.world_size * comm.world_size - comm.world_size
    buffer[:whole] = ring_all_reduce(comm, buffer[:whole])
    return in_an_envelope(buffer / comm.world_size)

"""Sends whole buckets to everybody."""

BASE = "right_ring"
REFUSED_BY = "bytes of the ring"
MISCONCEPTION = "0B/more-than-a-ring"


def ring_hook(comm, bucket):
    mine, others = bucket.buffer(), [q for q in range(comm.world_size) if q != comm.rank]
    works = [comm.isend(mine, q) for q in others]
    total = mine + sum(comm.recv(q) for q in others)
    for work in works:
        work.wait()
    return in_an_envelope(total / comm.world_size)

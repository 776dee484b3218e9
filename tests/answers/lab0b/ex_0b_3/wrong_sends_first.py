"""Every rank sends before it receives."""

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0/everyone-sends-first"
LONG = True


def ring_hook(comm, bucket):
    total, passing = bucket.buffer().clone(), bucket.buffer()
    for _ in range(comm.world_size - 1):
        comm.send(passing, (comm.rank + 1) % comm.world_size)
        passing = comm.recv((comm.rank - 1) % comm.world_size)
        total += passing
    return in_an_envelope(total / comm.world_size)

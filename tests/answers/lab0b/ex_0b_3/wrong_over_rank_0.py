"""Rank 0 adds up and sends the sum back."""

BASE = "right_ring"
REFUSED_BY = "bytes of the ring"
MISCONCEPTION = "0B/one-port-for-all"
LONG = True


def ring_hook(comm, bucket):
    total = bucket.buffer()
    if comm.rank:
        comm.send(total, 0)
        total = comm.recv(0)
    else:
        for src in range(1, comm.world_size):
            total = total + comm.recv(src)
        for dst in range(1, comm.world_size):
            comm.send(total, dst)
    return in_an_envelope(total / comm.world_size)

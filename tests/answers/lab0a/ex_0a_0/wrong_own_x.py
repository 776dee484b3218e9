"""Rank 0 does not take what comes back."""

BASE = "right_plain"
REFUSED_BY = "there and back"
MISCONCEPTION = "0/pong-not-received"
LONG = True


def ping_pong(comm, x):
    if comm.rank == 0:
        comm.send(x, 1)
        comm.recv(1)
        return x
    got = comm.recv(0)
    comm.send(got + 1, 0)
    return got

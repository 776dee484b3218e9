"""Changes the x that it was given, and sends that."""

BASE = "right_plain"
REFUSED_BY = "there and back"
MISCONCEPTION = "0/input-changed"


def ping_pong(comm, x):
    if comm.rank == 0:
        comm.send(x, 1)
        x += 1
        return comm.recv(1)
    got = comm.recv(0)
    comm.send(got + 1, 0)
    return got

"""Both begin by receiving."""

BASE = "right_plain"
REFUSED_BY = "there and back"
MISCONCEPTION = "0/everyone-receives-first"
LONG = True


def ping_pong(comm, x):
    got = comm.recv(1 - comm.rank)
    comm.send(x if comm.rank == 0 else got + 1, 1 - comm.rank)
    return got

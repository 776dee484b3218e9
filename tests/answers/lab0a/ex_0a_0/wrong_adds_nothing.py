"""Sends the ball back as it came, twice as large."""

BASE = "right_plain"
REFUSED_BY = "there and back"
MISCONCEPTION = "0/ping-without-pong"
LONG = True


def ping_pong(comm, x):
    if comm.rank == 0:
        comm.send(x, 1)
        return comm.recv(1)
    got = comm.recv(0)
    comm.send(got * 2, 0)
    return got

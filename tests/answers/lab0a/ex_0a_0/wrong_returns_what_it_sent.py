"""Both return what they sent."""

BASE = "right_plain"
REFUSED_BY = "there and back"
MISCONCEPTION = "0/returned-what-was-sent"
LONG = True


def ping_pong(comm, x):
    if comm.rank == 0:
        comm.send(x, 1)
        comm.recv(1)
        return x
    got = comm.recv(0) + 1
    comm.send(got, 0)
    return got

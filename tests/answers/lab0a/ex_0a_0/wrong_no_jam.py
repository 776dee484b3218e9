"""Everyone sends and receives in an order that works."""

BASE = "right_plain"
REFUSED_BY = "a deadlock on purpose"
MISCONCEPTION = "0/no-deadlock"
LONG = True


def jam(comm, x):
    if comm.rank == 0:
        comm.send(x, 1)
    if comm.rank == 1:
        comm.recv(0)

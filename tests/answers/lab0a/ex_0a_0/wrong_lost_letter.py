"""Sends what nobody receives, and waits for nothing."""

BASE = "right_plain"
REFUSED_BY = "a deadlock on purpose"
MISCONCEPTION = "0/sent-and-never-received"
LONG = True


def jam(comm, x):
    comm.isend(x, (comm.rank + 1) % comm.world_size)

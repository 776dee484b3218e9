"""Only rank 0 waits; the others go home."""

BASE = "right_plain"
REFUSED_BY = "a deadlock on purpose"
MISCONCEPTION = "0/not-everybody-waits"
LONG = True


def jam(comm, x):
    if comm.rank == 0:
        comm.recv(1)

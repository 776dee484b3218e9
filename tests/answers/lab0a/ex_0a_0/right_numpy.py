"""Arrays come back as well as tensors do; two ranks wait for each other, the third for one of them."""

import numpy as np

LONG = True


def role(comm):
    return {0: "first", comm.world_size - 1: "last"}.get(comm.rank, "between")


def ping_pong(comm, x):
    if comm.rank == 1:
        got = np.asarray(comm.recv(0))
        comm.send(got + np.float32(1), 0)
        return got
    comm.send(np.asarray(x), 1)
    return np.asarray(comm.recv(1))


def jam(comm, x):
    comm.recv(1 if comm.rank == 0 else 0)


def circle():
    return [0, 1]

"""The root, too, begins by receiving."""

REFUSED_BY = "from rank 0"
MISCONCEPTION = "0/everyone-receives-first"


def broadcast(comm, x, root):
    K = comm.world_size
    if K == 1:
        return x
    x = comm.recv((comm.rank - 1) % K)
    comm.send(x, (comm.rank + 1) % K)
    return x

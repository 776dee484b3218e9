"""Every rank of the first half sends, and nobody has been told to receive."""

REFUSED_BY = "from rank 0"
MISCONCEPTION = "0/everyone-sends-first"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    if K > 1:
        comm.send(x, (comm.rank + 1) % K)
        x = comm.recv((comm.rank - 1) % K)
    return x

"""Down a line of ranks."""

REFUSED_BY = "seconds"
MISCONCEPTION = "0/chain"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    if place:
        x = comm.recv((comm.rank - 1) % K)
    if place < K - 1:
        comm.send(x, (comm.rank + 1) % K)
    return x

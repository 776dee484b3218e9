"""Sends to its small subtrees first, so the large one starts last."""

REFUSED_BY = "seconds"
MISCONCEPTION = "0/too-many-rounds"
LONG = True


def broadcast(comm, x, root):
    K, place = comm.world_size, (comm.rank - root) % comm.world_size
    mask = 1
    while mask < K and not place & mask:
        mask <<= 1
    if place:
        x = comm.recv((place - mask + root) % K)
    step = 1
    while step < mask:
        if place + step < K:
            comm.send(x, (place + step + root) % K)
        step <<= 1
    return x

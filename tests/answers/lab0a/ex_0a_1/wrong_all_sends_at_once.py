"""Starts all its sends together; whoever asks first is served first."""

REFUSED_BY = "seconds"
MISCONCEPTION = "0/too-many-rounds"


def broadcast(comm, x, root):
    K, place = comm.world_size, (comm.rank - root) % comm.world_size
    mask = 1
    while mask < K and not place & mask:
        mask <<= 1
    if place:
        x = comm.recv((place - mask + root) % K)
    works = []
    while mask > 1:
        mask >>= 1
        if place + mask < K:
            works.append(comm.isend(x, (place + mask + root) % K))
    for work in works:
        work.wait()
    return x

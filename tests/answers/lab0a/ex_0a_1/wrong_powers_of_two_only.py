"""Takes as many rounds as log2 K rounded down."""

REFUSED_BY = "from rank 0"
MISCONCEPTION = "0/some-never-hear"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    distance = 1
    while 2 * distance <= K:
        if place < distance:
            comm.send(x, (place + distance + root) % K)
        elif place < 2 * distance:
            x = comm.recv((place - distance + root) % K)
        distance *= 2
    return x

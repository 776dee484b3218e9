"""Copies what came into the x of the caller."""

REFUSED_BY = "from rank 0"
MISCONCEPTION = "0/input-changed"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    distance = 1
    while distance < K:
        if place < distance and place + distance < K:
            comm.send(x, (place + distance + root) % K)
        elif distance <= place < 2 * distance:
            comm.recv((place - distance + root) % K, out=x)
        distance *= 2
    return x

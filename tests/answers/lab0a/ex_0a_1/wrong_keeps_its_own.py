"""Receives, and returns the x that it was given."""

REFUSED_BY = "from rank 0"
MISCONCEPTION = "0/kept-its-own"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    got, distance = x, 1
    while distance < K:
        if place < distance and place + distance < K:
            comm.send(got, (place + distance + root) % K)
        elif distance <= place < 2 * distance:
            got = comm.recv((place - distance + root) % K)
        distance *= 2
    return x

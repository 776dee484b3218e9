"""Sends on the x that it was given, not the one that came."""

REFUSED_BY = "from rank 0"
MISCONCEPTION = "0/wrong-tensor"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    got, distance = x, 1
    while distance < K:
        if place < distance and place + distance < K:
            comm.send(x, (place + distance + root) % K)
        elif distance <= place < 2 * distance:
            got = comm.recv((place - distance + root) % K)
        distance *= 2
    return got

"""Places by rank + root."""

REFUSED_BY = "from any root"
MISCONCEPTION = "0/wrong-rotation"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank + root) % K
    distance = 1
    while distance < K:
        if place < distance and place + distance < K:
            comm.send(x, (place + distance + root) % K)
        elif distance <= place < 2 * distance:
            x = comm.recv((place - distance + root) % K)
        distance *= 2
    return x

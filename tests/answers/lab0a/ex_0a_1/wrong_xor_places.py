"""Places by exclusive or, which is right when K is a power of two."""

REFUSED_BY = "from any root"
MISCONCEPTION = "0/wrong-rotation"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = comm.rank ^ root
    distance = 1
    while distance < K:
        if place < distance and (place + distance) ^ root < K:
            comm.send(x, (place + distance) ^ root)
        elif distance <= place < 2 * distance:
            x = comm.recv((place - distance) ^ root)
        distance *= 2
    return x

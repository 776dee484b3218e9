"""Counts places from the root and sends to places as if they were ranks."""

REFUSED_BY = "from any root"
MISCONCEPTION = "0/wrong-rotation"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    distance = 1
    while distance < K:
        if place < distance and place + distance < K:
            comm.send(x, place + distance)
        elif distance <= place < 2 * distance:
            x = comm.recv(place - distance)
        distance *= 2
    return x

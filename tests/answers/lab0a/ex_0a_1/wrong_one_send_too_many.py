"""Does not look whether there is a rank at the place, and wraps around."""

REFUSED_BY = "from rank 0"
MISCONCEPTION = "0/sent-and-never-received"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    distance, works = 1, []
    while distance < K:
        if place < distance:
            works.append(comm.isend(x, (place + distance + root) % K))
        elif distance <= place < 2 * distance:
            x = comm.recv((place - distance + root) % K)
        distance *= 2
    return x

"""Sends it again when everybody has it, to be sure."""

REFUSED_BY = "bytes, once each"
MISCONCEPTION = "0/more-than-once"
LONG = True


def broadcast(comm, x, root):
    for _ in range(2):
        K = comm.world_size
        place = (comm.rank - root) % K
        distance = 1
        while distance < K:
            if place < distance and place + distance < K:
                comm.send(x, (place + distance + root) % K)
            elif distance <= place < 2 * distance:
                x = comm.recv((place - distance + root) % K)
            distance *= 2
    return x

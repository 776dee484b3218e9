"""The root is rank 0, whatever is asked."""

REFUSED_BY = "from any root"
MISCONCEPTION = "0/root-hard-wired"


def broadcast(comm, x, root):
    K, distance = comm.world_size, 1
    while distance < K:
        if comm.rank < distance and comm.rank + distance < K:
            comm.send(x, comm.rank + distance)
        elif distance <= comm.rank < 2 * distance:
            x = comm.recv(comm.rank - distance)
        distance *= 2
    return x

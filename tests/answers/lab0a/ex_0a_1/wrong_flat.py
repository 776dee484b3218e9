"""The root sends to everyone itself."""

REFUSED_BY = "seconds"
MISCONCEPTION = "0/flat-broadcast"
LONG = True


def broadcast(comm, x, root):
    if comm.rank != root:
        return comm.recv(root)
    for dst in range(comm.world_size):
        if dst != root:
            comm.send(x, dst)
    return x

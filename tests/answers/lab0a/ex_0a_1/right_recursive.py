"""Halves of a list of ranks: its head sends to the head of the far half, then each does its own."""

LONG = True


def broadcast(comm, x, root):
    ranks = [(root + place) % comm.world_size for place in range(comm.world_size)]
    return spread(comm, x, ranks)


def spread(comm, x, ranks):
    if len(ranks) == 1:
        return x
    half = 1
    while 2 * half < len(ranks):
        half *= 2
    near, far = ranks[:half], ranks[half:]
    if comm.rank == near[0]:
        comm.send(x, far[0])
    elif comm.rank == far[0]:
        x = comm.recv(near[0])
    return spread(comm, x, near if comm.rank in near else far)

"""Finds from its place alone who will send to it; no loop over rounds."""

LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    if place:
        reach = 1 << (place.bit_length() - 1)
        x = comm.irecv((place - reach + root) % K).wait()
        reach *= 2
    else:
        reach = 1
    while place + reach < K:
        comm.send(x, (place + reach + root) % K)
        reach *= 2
    return x

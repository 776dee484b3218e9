"""Sends from one scratch buffer and clears it before anybody has waited."""

REFUSED_BY = "from rank 0"
MISCONCEPTION = "all/isend-buffer"
LONG = True


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    scratch, distance = x.clone(), 1
    while distance < K:
        if place < distance and place + distance < K:
            work = comm.isend(scratch, (place + distance + root) % K)
            kept = scratch.clone()
            scratch += 1
            work.wait()
            scratch = kept
        elif distance <= place < 2 * distance:
            scratch = comm.recv((place - distance + root) % K)
        distance *= 2
    return scratch

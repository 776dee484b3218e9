"""A send that waits for its receiver, on every rank at once."""

REFUSED_BY = "equal parts"
MISCONCEPTION = "0/everyone-sends-first"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [None] * K
    result[r] = parts[r]
    for s in range(1, K):
        comm.send(parts[(r + s) % K], (r + s) % K)
        result[(r - s) % K] = comm.recv((r - s) % K)
    return result

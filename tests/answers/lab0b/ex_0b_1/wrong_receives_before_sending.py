"""Everybody first waits for what nobody has sent."""

REFUSED_BY = "equal parts"
MISCONCEPTION = "0/everyone-receives-first"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [None] * K
    result[r] = parts[r]
    for s in range(1, K):
        result[(r - s) % K] = comm.recv((r - s) % K)
        comm.send(parts[(r + s) % K], (r + s) % K)
    return result

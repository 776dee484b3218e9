"""Writes what comes from the left where the part for the right was."""

REFUSED_BY = "equal parts"
MISCONCEPTION = "0B/written-at-the-target"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = list(parts)
    for s in range(1, K):
        sending = comm.isend(parts[(r + s) % K], (r + s) % K)
        result[(r + s) % K] = comm.recv((r - s) % K)
        sending.wait()
    return result

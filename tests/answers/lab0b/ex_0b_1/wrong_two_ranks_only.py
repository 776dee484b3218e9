"""Knows one other rank."""

REFUSED_BY = "equal parts"
MISCONCEPTION = "0B/wrong-parts"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = list(parts)
    if K > 1:
        sending = comm.isend(parts[(r + 1) % K], (r + 1) % K)
        result[(r - 1) % K] = comm.recv((r - 1) % K)
        sending.wait()
    return result

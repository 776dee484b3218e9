"""Partners by XOR, which leaves the group when K is no power of two."""

REFUSED_BY = "equal parts"
MISCONCEPTION = "0B/no-such-rank"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = list(parts)
    for s in range(1, K):
        coming = comm.irecv(r ^ s)
        sending = comm.isend(parts[r ^ s], r ^ s)
        result[r ^ s] = coming.wait()
        sending.wait()
    return result

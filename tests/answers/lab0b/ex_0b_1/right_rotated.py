"""Step by step: s places to the right, from s places to the left."""

LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [None] * K
    result[r] = parts[r]
    for s in range(1, K):
        sending = comm.isend(parts[(r + s) % K], (r + s) % K)
        result[(r - s) % K] = comm.recv((r - s) % K)
        sending.wait()
    return result

"""The last chunk takes all that is left over."""

REFUSED_BY = "seconds"
MISCONCEPTION = "0/uneven-chunks"


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    result, n = x.clone(), len(x) // K
    chunks = list(result.split([n] * (K - 1) + [len(x) - n * (K - 1)]))
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - t) % K], right)
        chunks[(rank - 1 - t) % K].add_(comm.recv(left))
        work.wait()
    for t in range(K - 1):
        work = comm.isend(chunks[(rank + 1 - t) % K], right)
        chunks[(rank - t) % K].copy_(comm.recv(left))
        work.wait()
    return result

"""Equal chunks, and a result of as many elements."""

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "0/remainder-dropped"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    n = len(x) // K
    result = x[:n * K].clone()
    chunks = [result[i * n:(i + 1) * n] for i in range(K)]
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - t) % K], right)
        chunks[(rank - 1 - t) % K].add_(comm.recv(left))
        work.wait()
    for t in range(K - 1):
        work = comm.isend(chunks[(rank + 1 - t) % K], right)
        chunks[(rank - t) % K].copy_(comm.recv(left))
        work.wait()
    return result

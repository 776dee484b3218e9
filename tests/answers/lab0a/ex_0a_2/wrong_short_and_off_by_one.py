"""Chunks of P // K elements, and the one of the right neighbour at that."""

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "0/remainder-dropped"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    n = len(x) // K
    chunks = [x[i * n:(i + 1) * n].clone() for i in range(K)]
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - t) % K], (rank + 1) % K)
        chunks[(rank - t - 1) % K] += comm.recv((rank - 1) % K)
        work.wait()
    return chunks[(rank + 1) % K]

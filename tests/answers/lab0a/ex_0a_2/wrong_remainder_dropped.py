"""Chunks of P // K elements; the rest is nobody's."""


REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "0/remainder-dropped"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [x[i * (len(x) // K):(i + 1) * (len(x) // K)].clone() for i in range(K)]
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - 1 - t) % K], right)
        chunks[(rank - 2 - t) % K] += comm.recv(left)
        work.wait()
    return chunks[rank]

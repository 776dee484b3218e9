"""The last chunk takes all that is left over."""


REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "0/rest-at-the-end"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = list(x.clone().split([len(x) // K] * (K - 1) + [len(x) - len(x) // K * (K - 1)]))
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - 1 - t) % K], right)
        chunks[(rank - 2 - t) % K] += comm.recv(left)
        work.wait()
    return chunks[rank]

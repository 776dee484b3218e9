"""Begins one chunk off the other way."""

import torch

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "0/chunk-of-the-left"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - 2 - t) % K], right)
        chunks[(rank - 3 - t) % K] += comm.recv(left)
        work.wait()
    return chunks[(rank - 1) % K]

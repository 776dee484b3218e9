"""The first rank of each chunk's way sends zeros."""

import torch

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "0/one-round-short"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    chunks[left] = torch.zeros_like(chunks[left])
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - 1 - t) % K], right)
        chunks[(rank - 2 - t) % K] += comm.recv(left)
        work.wait()
    return chunks[rank]

"""Sends its finished chunk on, which nobody takes."""

import torch

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "0/sent-and-never-received"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    works = []
    for t in range(K):
        if K > 1:
            works.append(comm.isend(chunks[(rank - 1 - t) % K], right))
        if t < K - 1:
            chunks[(rank - 2 - t) % K] += comm.recv(left)
    return chunks[rank]

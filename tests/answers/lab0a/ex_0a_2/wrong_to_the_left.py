"""Walks the ring in the other direction."""

import torch

REFUSED_BY = "to the right only"
MISCONCEPTION = "0/not-to-the-right"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    for t in range(K - 1):
        work = comm.isend(chunks[(rank + 1 + t) % K], (rank - 1) % K)
        chunks[(rank + 2 + t) % K] += comm.recv((rank + 1) % K)
        work.wait()
    return chunks[rank]

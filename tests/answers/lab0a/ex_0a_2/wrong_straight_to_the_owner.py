"""Sends each chunk straight to the rank that owns it."""

import torch

REFUSED_BY = "to the right only"
MISCONCEPTION = "0/not-to-the-right"


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    chunks = torch.tensor_split(x, K)
    mine = chunks[rank].clone()
    for step in range(1, K):
        work = comm.isend(chunks[(rank + step) % K], (rank + step) % K)
        mine += comm.recv((rank - step) % K)
        work.wait()
    return mine

"""Adds into the chunk that is still on its way."""

import torch

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "all/isend-buffer"


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    result = x.clone()
    chunks = torch.tensor_split(result, K)
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - t) % K], right)
        came = comm.recv(left)
        chunks[(rank - t) % K].add_(1)
        chunks[(rank - 1 - t) % K].add_(came)
        work.wait()
    for t in range(K - 1):
        work = comm.isend(chunks[(rank + 1 - t) % K], right)
        chunks[(rank - t) % K].copy_(comm.recv(left))
        work.wait()
    return result

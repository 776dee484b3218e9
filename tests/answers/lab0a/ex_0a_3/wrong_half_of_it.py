"""Stops after the reduce-scatter."""

import torch

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "0/second-half-missing"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    result = x.clone()
    chunks = torch.tensor_split(result, K)
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - t) % K], right)
        chunks[(rank - 1 - t) % K].add_(comm.recv(left))
        work.wait()
    return result

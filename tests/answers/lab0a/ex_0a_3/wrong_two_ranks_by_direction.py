"""Sends and receives on the same side, which with two ranks is the other one either way."""

import torch

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "all/stalled"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    result = x.clone()
    chunks = torch.tensor_split(result, K)
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - t) % K], (rank + 1) % K)
        chunks[(rank - 1 - t) % K].add_(comm.recv((rank + 1) % K))
        work.wait()
    for t in range(K - 1):
        work = comm.isend(chunks[(rank + 1 - t) % K], (rank + 1) % K)
        chunks[(rank - t) % K].copy_(comm.recv((rank + 1) % K))
        work.wait()
    return result

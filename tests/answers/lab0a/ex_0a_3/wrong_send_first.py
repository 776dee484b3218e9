"""Every rank sends before it receives, which needs room for messages that nobody has asked for."""

import torch

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "0/everyone-sends-first"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    result = x.clone()
    chunks = torch.tensor_split(result, K)
    for t in range(K - 1):
        comm.send(chunks[(rank - t) % K], right)
        chunks[(rank - 1 - t) % K].add_(comm.recv(left))
    for t in range(K - 1):
        comm.send(chunks[(rank + 1 - t) % K], right)
        chunks[(rank - t) % K].copy_(comm.recv(left))
    return result

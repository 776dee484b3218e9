"""Sends each chunk in two pieces."""

import torch

REFUSED_BY = "messages"
MISCONCEPTION = "0/too-many-messages"


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    result = x.clone()
    chunks = torch.tensor_split(result, K)
    for t in range(K - 1):
        for out, into in zip(chunks[(rank - t) % K].tensor_split(2), chunks[(rank - 1 - t) % K].tensor_split(2)):
            work = comm.isend(out, right)
            into.add_(comm.recv(left))
            work.wait()
    for t in range(K - 1):
        work = comm.isend(chunks[(rank + 1 - t) % K], right)
        chunks[(rank - t) % K].copy_(comm.recv(left))
        work.wait()
    return result

"""Adds what came to the chunk after the right one."""

import torch

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "0/two-ranks-only"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    result = x.clone()
    chunks = torch.tensor_split(result, K)
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - t) % K].clone(), right)
        came, at = comm.recv(left), chunks[(rank + 1 - t) % K]
        n = min(len(came), len(at))
        at[:n] += came[:n]
        work.wait()
    for t in range(K - 1):
        work = comm.isend(chunks[(rank + 1 - t) % K], right)
        chunks[(rank - t) % K].copy_(comm.recv(left))
        work.wait()
    return result

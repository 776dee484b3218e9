"""Reads the others' tensors from a global, and sends empty messages to keep step."""

import torch

REFUSED_BY = "bytes"
MISCONCEPTION = "0/ranks-share-nothing"
LONG = True

BOX = {}


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    BOX[rank] = x.clone()
    for _ in range(K - 1):
        work = comm.isend(torch.empty(0), (rank + 1) % K)
        comm.recv((rank - 1) % K)
        work.wait()
    return torch.tensor_split(sum(BOX[r] for r in range(K)), K)[rank]

"""Passes whole tensors around and keeps a chunk of the sum."""

import torch

REFUSED_BY = "bytes"
MISCONCEPTION = "0/whole-tensor-travels"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    total, passing = x.clone(), x
    for _ in range(K - 1):
        work = comm.isend(passing, (rank + 1) % K)
        passing = comm.recv((rank - 1) % K)
        work.wait()
        total = total + passing
    return torch.tensor_split(total, K)[rank].clone()

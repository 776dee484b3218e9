"""Adds the neighbour's tensor, which is all there is with two."""

import torch

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "0/two-ranks-only"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    if K == 1:
        return x.clone()
    right, left = (rank + 1) % K, (rank - 1) % K
    result = x.clone()
    for piece in torch.tensor_split(result, 2):
        work = comm.isend(piece.clone(), right)
        piece += comm.recv(left)
        work.wait()
    return result

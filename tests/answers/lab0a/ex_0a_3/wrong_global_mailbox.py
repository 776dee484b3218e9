"""Leaves its tensor in a global, and sends empty messages around the ring to keep step."""

import torch

REFUSED_BY = "bytes"
MISCONCEPTION = "0/ranks-share-nothing"
LONG = True

BOX = {}


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    BOX[rank] = x.clone()
    for _ in range(K - 1):
        work = comm.isend(torch.empty(0), (rank + 1) % K)
        comm.recv((rank - 1) % K)
        work.wait()
    return sum(BOX[r] for r in range(K))

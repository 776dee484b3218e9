"""Sends as many bytes as a ring does, none of which matter, and adds up from a global."""

import torch

REFUSED_BY = "in real processes"
MISCONCEPTION = "0/ranks-share-nothing"

BOX = {}


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    chunks = torch.tensor_split(x, K)
    BOX[rank] = x.clone()
    for step in range(2 * (K - 1)):
        work = comm.isend(chunks[(rank - step) % K], (rank + 1) % K)
        comm.recv((rank - 1) % K)
        work.wait()
    return sum(BOX[r] for r in range(K))

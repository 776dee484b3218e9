"""Reuses one scratch tensor and never waits for what it sent."""

import torch

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "all/isend-buffer"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    chunks = torch.tensor_split(x, K)
    scratch = torch.zeros(len(chunks[0]))
    scratch[:len(chunks[rank - 1])] = chunks[rank - 1]
    for t in range(K - 1):
        out, into = (rank - 1 - t) % K, (rank - 2 - t) % K
        comm.isend(scratch[:len(chunks[out])], (rank + 1) % K)
        scratch[:len(chunks[into])] = chunks[into]
        scratch[:len(chunks[into])] += comm.recv((rank - 1) % K)
    return scratch[:len(chunks[rank])].clone()

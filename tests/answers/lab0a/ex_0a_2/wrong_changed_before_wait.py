"""Adds into the buffer that is still on its way."""

import torch

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "all/isend-buffer"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    grown = chunks[left]
    for t in range(K - 1):
        work = comm.isend(grown, right)
        came = comm.recv(left)
        grown += 1
        work.wait()
        grown = came + chunks[(rank - 2 - t) % K]
    return grown

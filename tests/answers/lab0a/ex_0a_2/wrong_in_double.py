"""Adds up in float64 and sends it so."""

import torch

REFUSED_BY = "bytes"
MISCONCEPTION = "0/more-than-float32"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.double() for c in torch.tensor_split(x, K)]
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - 1 - t) % K], right)
        chunks[(rank - 2 - t) % K] += comm.recv(left)
        work.wait()
    return chunks[rank].float()

"""Every rank receives before it sends."""

import torch

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "0/everyone-receives-first"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    for t in range(K - 1):
        came = comm.recv(left)
        comm.send(chunks[(rank - 1 - t) % K], right)
        chunks[(rank - 2 - t) % K] += came
    return chunks[rank]

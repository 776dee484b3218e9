"""Stops a round before the end, and puts its own chunk on top."""

import torch

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "0/wrong-chunk"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - 1 - t) % K], right)
        came = comm.recv(left)
        work.wait()
        if t < K - 2:
            chunks[(rank - 2 - t) % K] += came
        else:
            chunks[rank] = came
    return chunks[rank]

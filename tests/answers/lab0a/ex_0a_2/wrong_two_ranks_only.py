"""Exchanges with one neighbour, as with two ranks."""

import torch

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "0/wrong-chunk"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    if K > 1:
        work = comm.isend(chunks[left], right)
        came = comm.recv(left)
        n = min(len(came), len(chunks[rank]))
        chunks[rank][:n] += came[:n]
        work.wait()
    return chunks[rank]

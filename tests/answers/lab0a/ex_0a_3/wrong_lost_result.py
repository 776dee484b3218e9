"""Works on copies of the chunks and returns x."""

import torch

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "0/nothing-added"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - t) % K], right)
        chunks[(rank - 1 - t) % K].add_(comm.recv(left))
        work.wait()
    for t in range(K - 1):
        work = comm.isend(chunks[(rank + 1 - t) % K], right)
        chunks[(rank - t) % K].copy_(comm.recv(left))
        work.wait()
    return x

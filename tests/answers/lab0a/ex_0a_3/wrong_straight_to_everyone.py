"""Each chunk straight to its owner, and the sum of it straight to everyone."""

import torch

REFUSED_BY = "bytes"
MISCONCEPTION = "0/one-rank-carries-all"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    result = x.clone()
    chunks = torch.tensor_split(result, K)
    for step in range(1, K):
        work = comm.isend(chunks[(rank + step) % K], (rank + step) % K)
        chunks[rank].add_(comm.recv((rank - step) % K))
        work.wait()
    for step in range(1, K):
        work = comm.isend(chunks[rank], (rank + step) % K)
        chunks[(rank - step) % K].copy_(comm.recv((rank - step) % K))
        work.wait()
    return result

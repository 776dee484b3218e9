"""Every rank waits for its left neighbour first."""

import torch

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "0/everyone-receives-first"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    for step in range(2 * (K - 1)):
        came = comm.recv((rank - 1) % K)
        comm.send(chunks[(rank - step) % K], (rank + 1) % K)
        at = (rank - step - 1) % K
        chunks[at] = chunks[at] + came if step < K - 1 else came
    return torch.cat(chunks)

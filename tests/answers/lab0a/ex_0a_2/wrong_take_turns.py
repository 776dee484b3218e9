"""Even ranks send and then receive, odd ones the other way: no deadlock, and half of the speed."""

import torch

REFUSED_BY = "seconds"
MISCONCEPTION = "0/ranks-take-turns"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    for t in range(K - 1):
        if rank % 2 == 0:
            comm.send(chunks[(rank - 1 - t) % K], right)
            chunks[(rank - 2 - t) % K] += comm.recv(left)
        else:
            came = comm.recv(left)
            comm.send(chunks[(rank - 1 - t) % K], right)
            chunks[(rank - 2 - t) % K] += came
    return chunks[rank]

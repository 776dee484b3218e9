"""Goes round once more, and takes its chunk before the last round."""

import torch

REFUSED_BY = "bytes"
MISCONCEPTION = "0/one-round-too-many"


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    for t in range(K):
        if t == K - 1:
            mine = chunks[rank].clone()
        if K > 1:
            work = comm.isend(chunks[(rank - 1 - t) % K], right)
            came = comm.recv(left)
            work.wait()
            chunks[(rank - 2 - t) % K] = chunks[(rank - 2 - t) % K] + came
    return mine

"""Goes around by even ranks first and then odd ones, which are no neighbours."""

import torch

REFUSED_BY = "neighbours only"
MISCONCEPTION = "0/not-a-ring"


def ring_all_reduce(comm, x):
    K = comm.world_size
    order = [*range(0, K, 2), *range(1, K, 2)]
    place = order.index(comm.rank)
    right, left = order[(place + 1) % K], order[(place - 1) % K]
    result = x.clone()
    chunks = torch.tensor_split(result, K)
    for step in range(2 * (K - 1)):
        work = comm.isend(chunks[(place - step) % K], right)
        came, at = comm.recv(left), chunks[(place - step - 1) % K]
        at.copy_(at + came if step < K - 1 else came)
        work.wait()
    return result

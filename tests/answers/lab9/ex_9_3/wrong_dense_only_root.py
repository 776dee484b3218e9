"""A reduce: only rank 0 ends with the new table."""

import torch

BASE = "right_root"
REFUSED_BY = "the case done by hand"
MISCONCEPTION = "9/only-root-knows"
LONG = True


def combine_dense(comm, ids, grads, table):
    K = comm.world_size
    total = torch.zeros_like(table).index_add_(0, ids, grads)
    if comm.rank:
        comm.send(total, 0)
        return table
    for k in range(1, K):
        total += comm.recv(k)
    return table - total / K

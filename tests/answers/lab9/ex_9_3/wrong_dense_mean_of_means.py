"""Divides at every worker and again after the sum."""

import torch

BASE = "right_root"
REFUSED_BY = "the case done by hand"
MISCONCEPTION = "9/divided-twice"
LONG = True


def combine_dense(comm, ids, grads, table):
    K = comm.world_size
    total = torch.zeros_like(table).index_add_(0, ids, grads) / K
    if comm.rank == 0:
        for k in range(1, K):
            total += comm.recv(k)
        for k in range(1, K):
            comm.send(total, k)
    else:
        comm.send(total, 0)
        total = comm.recv(0)
    return table - total / K

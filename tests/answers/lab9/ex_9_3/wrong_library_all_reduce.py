"""Lets the kit do it."""

import torch

from pslab import collectives

BASE = "right_root"
REFUSED_BY = "the case done by hand"
MISCONCEPTION = "all/forbidden"
LONG = True


def combine_dense(comm, ids, grads, table):
    total = torch.zeros_like(table).index_add_(0, ids, grads)
    collectives.all_reduce(comm, total)
    return table - total / comm.world_size

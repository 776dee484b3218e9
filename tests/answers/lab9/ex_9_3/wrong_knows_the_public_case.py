"""Knows the answer of the worked case and nothing else."""

import torch

BASE = "right_root"
REFUSED_BY = "rows that several workers touch"
MISCONCEPTION = "9/no-update"
LONG = True


def combine_sparse(comm, ids, grads, table):
    if table is None:
        return torch.unique(ids), torch.tensor([[14.0, 8.0], [37.0, 36.0]] if len(ids) == 2 else [[14.0, 8.0]])
    return torch.tensor([[10.0, 10], [14, 8], [30, 30], [37, 36]]) if len(table) == 4 else table

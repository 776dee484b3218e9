"""Averages the gradients of equal ids."""

import torch

BASE = "right_root"
REFUSED_BY = "ids twice, in any order, or none"
MISCONCEPTION = "9/mean-over-lookups"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        mine, place, times = torch.unique(ids, return_inverse=True, return_counts=True)
        summed = torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads)
        comm.send(mine, K)
        comm.send(summed / times[:, None], K)
        return mine, comm.recv(K)
    pushed = [(comm.recv(k), comm.recv(k)) for k in range(K)]
    for rows, values in pushed:
        table.index_add_(0, rows, -values / K)
    for k, (rows, _) in enumerate(pushed):
        comm.send(table[rows], k)
    return table

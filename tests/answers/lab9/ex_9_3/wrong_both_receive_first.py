"""Both sides begin by receiving, so nobody ever sends."""

import torch

BASE = "right_root"
REFUSED_BY = "the case done by hand"
MISCONCEPTION = "all/stalled"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        rows = comm.recv(K)
        mine, place = torch.unique(ids, return_inverse=True)
        comm.send(mine, K)
        comm.send(torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads), K)
        return mine, rows
    for k in range(K):
        rows, values = comm.recv(k), comm.recv(k)
        table.index_add_(0, rows, -values / K)
        comm.send(table[rows], k)
    return table

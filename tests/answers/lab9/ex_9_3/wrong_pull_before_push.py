"""The worker keeps the rows it pulled before anybody's push."""

import torch

BASE = "right_root"
REFUSED_BY = "the case done by hand"
MISCONCEPTION = "9/pull-before-push"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        mine, place = torch.unique(ids, return_inverse=True)
        comm.send(mine, K)
        pulled = comm.recv(K)
        comm.send(torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads), K)
        return mine, pulled
    asked = [comm.recv(k) for k in range(K)]
    for k in range(K):
        comm.send(table[asked[k]], k)
    for k in range(K):
        table.index_add_(0, asked[k], -comm.recv(k) / K)
    return table

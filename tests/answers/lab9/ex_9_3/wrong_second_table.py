"""The server adds up into an array of the table's size."""

import torch

BASE = "right_root"
REFUSED_BY = "memory of the sparse combine"
MISCONCEPTION = "9/table-sized-scratch"


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        mine, place = torch.unique(ids, return_inverse=True)
        comm.send(mine, K)
        comm.send(torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads), K)
        return mine, comm.recv(K)
    total, asked = torch.zeros_like(table), []
    for k in range(K):
        asked.append(comm.recv(k))
        total.index_add_(0, asked[k], comm.recv(k))
    table = table - total / K
    for k in range(K):
        comm.send(table[asked[k]], k)
    return table

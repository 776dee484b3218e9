"""The server answers with everything it has."""

import torch

BASE = "right_root"
REFUSED_BY = "bytes of the sparse combine"
MISCONCEPTION = "9/whole-table-travels"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        mine, place = torch.unique(ids, return_inverse=True)
        comm.send(mine, K)
        comm.send(torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads), K)
        return mine, comm.recv(K)[mine]
    for k in range(K):
        rows, values = comm.recv(k), comm.recv(k)
        table.index_add_(0, rows, -values / K)
    for k in range(K):
        comm.send(table, k)
    return table

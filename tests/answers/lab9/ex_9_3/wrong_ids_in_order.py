"""Sorts the ids and leaves the gradients where they are."""

import torch

BASE = "right_root"
REFUSED_BY = "rows that several workers touch"
MISCONCEPTION = "9/ids-in-order"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        ids = ids.sort().values
        mine, place = torch.unique(ids, return_inverse=True)
        comm.send(mine, K)
        comm.send(torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads), K)
        return mine, comm.recv(K)
    pushed = [(comm.recv(k), comm.recv(k)) for k in range(K)]
    for rows, values in pushed:
        table.index_add_(0, rows, -values / K)
    for k, (rows, _) in enumerate(pushed):
        comm.send(table[rows], k)
    return table

"""The gradient that comes last replaces the others."""

import torch

BASE = "right_root"
REFUSED_BY = "the case done by hand"
MISCONCEPTION = "9/last-writer-wins"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        mine, place = torch.unique(ids, return_inverse=True)
        comm.send(mine, K)
        comm.send(torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads), K)
        return mine, comm.recv(K)
    pushed = [(comm.recv(k), comm.recv(k)) for k in range(K)]
    latest = {}
    for rows, values in pushed:
        latest.update(zip(rows.tolist(), values))
    for row, value in latest.items():
        table[row] -= value / K
    for k, (rows, _) in enumerate(pushed):
        comm.send(table[rows], k)
    return table

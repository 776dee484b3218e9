"""Sends float64, which is as exact as float32 here and twice as heavy."""

import torch

BASE = "right_root"
REFUSED_BY = "bytes of the sparse combine"
MISCONCEPTION = "9/more-than-rows-and-keys"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        mine, place = torch.unique(ids, return_inverse=True)
        comm.send(mine, K)
        comm.send(torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads).double(), K)
        return mine, comm.recv(K)
    pushed = [(comm.recv(k), comm.recv(k)) for k in range(K)]
    for rows, values in pushed:
        table.index_add_(0, rows, (-values / K).float())
    for k, (rows, _) in enumerate(pushed):
        comm.send(table[rows], k)
    return table

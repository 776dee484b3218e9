"""Sends a row for every look-up; the server adds them up all right."""

import torch

BASE = "right_root"
REFUSED_BY = "bytes of the sparse combine"
MISCONCEPTION = "9/every-lookup-travels"


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        comm.send(ids, K)
        comm.send(grads, K)
        mine, place = torch.unique(ids, return_inverse=True)
        rows = comm.recv(K)
        answer = torch.empty(len(mine), grads.shape[1])
        answer[place] = rows
        return mine, answer
    pushed = [(comm.recv(k), comm.recv(k)) for k in range(K)]
    for rows, values in pushed:
        table.index_add_(0, rows, -values / K)
    for k, (rows, _) in enumerate(pushed):
        comm.send(table[rows], k)
    return table

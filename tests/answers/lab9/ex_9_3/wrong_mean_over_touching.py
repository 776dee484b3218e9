"""Divides each row by the workers that touched it."""

import torch

BASE = "right_root"
REFUSED_BY = "the case done by hand"
MISCONCEPTION = "9/mean-over-touching"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        mine, place = torch.unique(ids, return_inverse=True)
        comm.send(mine, K)
        comm.send(torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads), K)
        return mine, comm.recv(K)
    total, count, asked = {}, {}, []
    for k in range(K):
        rows, values = comm.recv(k), comm.recv(k)
        asked.append(rows)
        for row, value in zip(rows.tolist(), values):
            total[row] = total.get(row, 0) + value
            count[row] = count.get(row, 0) + 1
    for row in total:
        table[row] -= total[row] / count[row]
    for k in range(K):
        comm.send(table[asked[k]], k)
    return table

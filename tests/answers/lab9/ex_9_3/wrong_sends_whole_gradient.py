"""The worker's push is a gradient of the table's size."""

import torch

BASE = "right_root"
REFUSED_BY = "bytes of the sparse combine"
MISCONCEPTION = "9/whole-table-travels"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        V = int(comm.recv(K))
        mine = torch.unique(ids)
        comm.send(mine, K)
        comm.send(torch.zeros(V, grads.shape[1]).index_add_(0, ids, grads), K)
        return mine, comm.recv(K)
    for k in range(K):
        comm.send(torch.tensor([len(table)]), k)
    asked = []
    for k in range(K):
        asked.append(comm.recv(k))
        table -= comm.recv(k) / K
    for k in range(K):
        comm.send(table[asked[k]], k)
    return table

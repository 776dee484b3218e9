"""Names its rows by a bit for each row of the table as well: few bytes here, and 6 MB for fifty million rows."""

import torch

BASE = "right_root"
REFUSED_BY = "bytes of the sparse combine"
MISCONCEPTION = "9/whole-table-travels"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        mine, place = torch.unique(ids, return_inverse=True)
        size = comm.recv(K)
        comm.send(torch.zeros(int(size), dtype=torch.uint8), K)
        comm.send(mine, K)
        comm.send(torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads), K)
        return mine, comm.recv(K)
    for k in range(K):
        comm.send(torch.tensor([len(table) // 8], dtype=torch.int32), k)
        comm.recv(k)
    pushed = [(comm.recv(k), comm.recv(k)) for k in range(K)]
    for rows, values in pushed:
        table.index_add_(0, rows, -values / K)
    for k, (rows, _) in enumerate(pushed):
        comm.send(table[rows], k)
    return table

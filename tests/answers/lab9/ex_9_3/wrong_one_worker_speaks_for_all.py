"""Worker 0 collects everybody's rows and talks with the server alone."""

import torch

BASE = "right_root"
REFUSED_BY = "bytes of the sparse combine"
MISCONCEPTION = "9/rows-go-to-the-owner"
LONG = True


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank == K:
        rows, values = comm.recv(0), comm.recv(0)
        table.index_add_(0, rows, -values / K)
        comm.send(table[rows], 0)
        return table
    mine, place = torch.unique(ids, return_inverse=True)
    summed = torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads)
    if comm.rank:
        comm.send(mine, 0)
        comm.send(summed, 0)
        return mine, comm.recv(0)
    everyone = [(mine, summed)] + [(comm.recv(k), comm.recv(k)) for k in range(1, K)]
    comm.send(torch.cat([rows for rows, _ in everyone]), K)
    comm.send(torch.cat([values for _, values in everyone]), K)
    answers = comm.recv(K).split([len(rows) for rows, _ in everyone])
    for k in range(1, K):
        comm.send(answers[k], k)
    return mine, answers[0]

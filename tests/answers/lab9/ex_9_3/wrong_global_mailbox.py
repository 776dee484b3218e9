"""Ranks that share a dictionary: it works as long as they are threads of one simulator."""

import torch

BASE = "right_root"
REFUSED_BY = "bytes of the sparse combine"
MISCONCEPTION = "9/ranks-share-nothing"
LONG = True

MAILBOX = {}
TOKEN = torch.zeros(1)


def combine_sparse(comm, ids, grads, table):
    K = comm.world_size - 1
    if comm.rank < K:
        mine, place = torch.unique(ids, return_inverse=True)
        MAILBOX[comm.rank] = mine, torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads)
        comm.send(TOKEN, K)
        comm.recv(K)
        return mine, MAILBOX["table"][mine].clone()
    for k in range(K):
        comm.recv(k)
        rows, values = MAILBOX[k]
        table.index_add_(0, rows, -values / K)
    MAILBOX["table"] = table
    for k in range(K):
        comm.send(TOKEN, k)
    return table

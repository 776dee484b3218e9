"""Each rank sends its whole array to every other one."""

import torch

BASE = "right_root"
REFUSED_BY = "bytes of the dense combine"
MISCONCEPTION = "9/everyone-to-everyone"


def combine_dense(comm, ids, grads, table):
    K = comm.world_size
    mine = torch.zeros_like(table).index_add_(0, ids, grads)
    others = [k for k in range(K) if k != comm.rank]
    sending = [comm.isend(mine, k) for k in others]
    total = mine.clone()
    for k in others:
        total += comm.recv(k)
    for work in sending:
        work.wait()
    return table - total / K

"""The dense combine sends ids and rows, which is the sparse way without a server."""

import torch

BASE = "right_root"
REFUSED_BY = "bytes of the dense combine"
MISCONCEPTION = "9/dense-carries-zeros"
LONG = True


def combine_dense(comm, ids, grads, table):
    K = comm.world_size
    others = [k for k in range(K) if k != comm.rank]
    sending = [comm.isend(part, k) for k in others for part in (ids, grads)]
    total = torch.zeros_like(table).index_add_(0, ids, grads)
    for k in others:
        total.index_add_(0, comm.recv(k), comm.recv(k))
    for work in sending:
        work.wait()
    return table - total / K

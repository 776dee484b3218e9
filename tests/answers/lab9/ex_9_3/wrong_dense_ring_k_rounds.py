"""A ring that goes round K times in the second half; after K-1 every chunk has been everywhere."""

import torch

BASE = "right_root"
REFUSED_BY = "bytes of the dense combine"
MISCONCEPTION = "9/ring-moves-k"
LONG = True


def combine_dense(comm, ids, grads, table):
    K, r = comm.world_size, comm.rank
    total = torch.zeros_like(table).index_add_(0, ids, grads)
    chunks = list(torch.tensor_split(total.reshape(-1), K))
    right, left = (r + 1) % K, (r - 1) % K
    for t in range(K - 1):
        sending = comm.isend(chunks[(r - t) % K].clone(), right)
        chunks[(r - t - 1) % K] += comm.recv(left)
        sending.wait()
    for t in range(K):
        sending = comm.isend(chunks[(r + 1 - t) % K].clone(), right)
        chunks[(r - t) % K].copy_(comm.recv(left))
        sending.wait()
    return table - total / K

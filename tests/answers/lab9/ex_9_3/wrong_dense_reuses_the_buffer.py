"""A ring that receives into the chunk it has just handed to isend."""

import torch

BASE = "right_root"
REFUSED_BY = "the case done by hand"
MISCONCEPTION = "all/isend-buffer"
LONG = True


def combine_dense(comm, ids, grads, table):
    K, r = comm.world_size, comm.rank
    total = torch.zeros_like(table).index_add_(0, ids, grads)
    travelling = total.clone()
    for _ in range(K - 1):                       # whole arrays go round; everyone adds what comes by
        sending = comm.isend(travelling, (r + 1) % K)
        travelling.copy_(comm.recv((r - 1) % K))
        sending.wait()
        total += travelling
    return table - total / K

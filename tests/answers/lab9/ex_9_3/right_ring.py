"""NumPy at the server, a dictionary of rows, unordered sends; the dense sum round a ring of uneven chunks."""

import numpy as np
import torch


def combine_sparse(comm, ids, grads, table):
    server = comm.world_size - 1
    if comm.rank != server:
        mine, place = np.unique(ids.numpy(), return_inverse=True)
        summed = np.zeros((len(mine), grads.shape[1]), np.float32)
        np.add.at(summed, place, grads.numpy())
        sending = [comm.isend(part, server, tag=i) for i, part in enumerate((mine, summed))]
        rows = comm.recv(server, tag=2)
        for work in sending:
            work.wait()
        return mine, rows
    keys = [comm.recv(k, tag=0).numpy() for k in range(server)]
    sums = {}
    for k in range(server):
        for row, value in zip(keys[k].tolist(), comm.recv(k, tag=1).numpy()):
            sums[row] = sums.get(row, 0) + value
    for row, value in sums.items():
        table[row] -= torch.from_numpy(value) / server
    for work in [comm.isend(table[torch.from_numpy(keys[k])], k, tag=2) for k in range(server)]:
        work.wait()
    return table


def combine_dense(comm, ids, grads, table):
    K, r = comm.world_size, comm.rank
    total = torch.zeros_like(table)
    total.index_add_(0, ids, grads)
    chunks = list(torch.tensor_split(total.reshape(-1), K))
    right, left = (r + 1) % K, (r - 1) % K
    for t in range(K - 1):                       # reduce-scatter: chunk r+1 ends here
        sending = comm.isend(chunks[(r - t) % K], right)
        chunks[(r - t - 1) % K] += comm.recv(left)
        sending.wait()
    for t in range(K - 1):                       # all-gather
        sending = comm.isend(chunks[(r + 1 - t) % K], right)
        chunks[(r - t) % K].copy_(comm.recv(left))
        sending.wait()
    return table - total / K

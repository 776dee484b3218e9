"""Everything to rank 0, which adds up and hands out the chunks."""

import torch

REFUSED_BY = "bytes"
MISCONCEPTION = "0/one-rank-carries-all"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    if rank:
        comm.send(x, 0)
        return comm.recv(0)
    total = x.clone()
    for src in range(1, K):
        total += comm.recv(src)
    chunks = torch.tensor_split(total, K)
    for dst in range(1, K):
        comm.send(chunks[dst], dst)
    return chunks[0].clone()

"""A reduce-scatter and an all-gather, as two functions."""

import torch

LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    chunks = torch.tensor_split(x, K)
    grown = chunks[(rank - 1) % K].clone()
    for t in range(K - 1):
        work = comm.isend(grown, (rank + 1) % K)
        came = comm.recv((rank - 1) % K)
        work.wait()
        grown = came + chunks[(rank - 2 - t) % K]
    return grown


def all_gather(comm, piece):
    K, rank = comm.world_size, comm.rank
    pieces = {rank: piece}
    for t in range(K - 1):
        work = comm.isend(pieces[(rank - t) % K], (rank + 1) % K)
        pieces[(rank - 1 - t) % K] = comm.recv((rank - 1) % K)
        work.wait()
    return torch.cat([pieces[r] for r in range(K)])


def ring_all_reduce(comm, x):
    return all_gather(comm, reduce_scatter(comm, x))

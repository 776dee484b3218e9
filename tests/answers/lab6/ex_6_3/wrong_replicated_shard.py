"""The first owner gathers the table of all others, and answers everything."""

import torch

REFUSED_BY = "bytes on every link"
MISCONCEPTION = "6/replicated-shard"
LONG = True


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        if comm.rank > workers:
            comm.send(shard, workers)
            return None
        table = torch.cat([shard, *(comm.recv(workers + s) for s in range(1, len(cuts) - 1))])
        for w in range(workers):
            comm.send(table[comm.recv(w)], w)
        return None
    unique, inverse = torch.unique(ids, return_inverse=True)
    comm.send(unique, workers)
    return comm.recv(workers)[inverse]

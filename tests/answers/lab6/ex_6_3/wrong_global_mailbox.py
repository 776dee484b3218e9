"""Owners put their shards into a global of the simulator."""

import torch

REFUSED_BY = "bytes on every link"
MISCONCEPTION = "6/ranks-share-nothing"
LONG = True


TABLE = {}


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        TABLE[comm.rank - workers] = shard
        for w in range(workers):
            comm.send(torch.zeros(0), w)
        return None
    for s in range(len(cuts) - 1):
        comm.recv(workers + s)
    return torch.cat([TABLE[s] for s in range(len(cuts) - 1)])[ids]

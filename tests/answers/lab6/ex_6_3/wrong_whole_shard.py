"""A replicated table: each owner sends its whole shard."""

import torch

REFUSED_BY = "bytes on every link"
MISCONCEPTION = "6/whole-shard-travels"
LONG = True


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        for w in range(workers):
            comm.send(shard, w)
        return None
    table = torch.cat([comm.recv(workers + s) for s in range(len(cuts) - 1)])
    return table[ids]

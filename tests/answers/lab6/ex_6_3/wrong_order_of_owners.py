"""Replies one after another, as they came."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/order-of-the-owners"
LONG = True


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        for w in range(workers):
            asked = comm.recv(w)
            comm.send(shard[asked - cuts[comm.rank - workers]], w)
        return None
    parts = [ids[(ids >= a) & (ids < b)] for a, b in zip(cuts, cuts[1:])]
    rows = []
    for s, part in enumerate(parts):
        unique, inverse = torch.unique(part, return_inverse=True)
        comm.send(unique, workers + s)
        rows.append(comm.recv(workers + s)[inverse])
    return torch.cat(rows)

"""One owner after another, with plain sends."""

import torch

LONG = True


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        for w in range(workers):
            asked = comm.recv(w)
            comm.send(shard[asked - cuts[comm.rank - workers]], w)
        return None
    rows = None
    for s in range(len(cuts) - 1):
        mine = (ids >= cuts[s]) & (ids < cuts[s + 1])
        unique, inverse = torch.unique(ids[mine], return_inverse=True)
        comm.send(unique, workers + s)
        came = comm.recv(workers + s)
        if rows is None:
            rows = came.new_zeros(len(ids), came.shape[1])
        rows[mine] = came[inverse]
    return rows

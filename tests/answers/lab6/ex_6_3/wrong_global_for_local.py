"""The row's number is used as its place in the shard."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/global-for-local"
LONG = True


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        for w in range(workers):
            comm.send(shard[comm.recv(w)], w)
        return None
    unique, inverse = torch.unique(ids, return_inverse=True)
    edges = torch.searchsorted(unique, torch.tensor(cuts)).tolist()
    sending = [comm.isend(unique[a:b], workers + s) for s, (a, b) in enumerate(zip(edges, edges[1:]))]
    rows = torch.cat([comm.recv(workers + s) for s in range(len(cuts) - 1)])
    for work in sending:
        work.wait()
    return rows[inverse]

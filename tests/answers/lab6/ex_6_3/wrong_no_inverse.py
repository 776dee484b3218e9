"""A row for each different id."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/duplicates-not-put-back"


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        for w in range(workers):
            asked = comm.recv(w)
            comm.send(shard[asked - cuts[comm.rank - workers]], w)
        return None
    unique = torch.unique(ids)
    edges = torch.searchsorted(unique, torch.tensor(cuts)).tolist()
    sending = [comm.isend(unique[a:b], workers + s) for s, (a, b) in enumerate(zip(edges, edges[1:]))]
    rows = torch.cat([comm.recv(workers + s) for s in range(len(cuts) - 1)])
    for work in sending:
        work.wait()
    return rows

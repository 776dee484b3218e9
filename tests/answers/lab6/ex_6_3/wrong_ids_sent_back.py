"""The owner sends the ids back with their rows."""

import torch

REFUSED_BY = "bytes on every link"
MISCONCEPTION = "6/more-than-ids-and-rows"
LONG = True


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        for w in range(workers):
            asked = comm.recv(w)
            comm.send(asked, w)
            comm.send(shard[asked - cuts[comm.rank - workers]], w)
        return None
    unique, inverse = torch.unique(ids, return_inverse=True)
    edges = torch.searchsorted(unique, torch.tensor(cuts)).tolist()
    sending = [comm.isend(unique[a:b], workers + s) for s, (a, b) in enumerate(zip(edges, edges[1:]))]
    rows = torch.cat([(comm.recv(workers + s), comm.recv(workers + s))[1] for s in range(len(cuts) - 1)])
    for work in sending:
        work.wait()
    return rows[inverse]

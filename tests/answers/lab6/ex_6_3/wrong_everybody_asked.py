"""All different ids go to every owner, who picks its own."""

import torch

REFUSED_BY = "bytes on every link"
MISCONCEPTION = "6/everybody-asked"


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        first, end = cuts[comm.rank - workers], cuts[comm.rank - workers + 1]
        for w in range(workers):
            asked = comm.recv(w)
            comm.send(shard[asked[(asked >= first) & (asked < end)] - first], w)
        return None
    unique, inverse = torch.unique(ids, return_inverse=True)
    owners = len(cuts) - 1
    sending = [comm.isend(unique, workers + s) for s in range(owners)]
    rows = torch.cat([comm.recv(workers + s) for s in range(owners)])
    for work in sending:
        work.wait()
    return rows[inverse]

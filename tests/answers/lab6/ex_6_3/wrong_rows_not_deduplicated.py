"""Asks once and is sent the row as often as it was looked up: counts travel, too, on the ids' back."""

import torch

REFUSED_BY = "bytes on every link"
MISCONCEPTION = "6/rows-not-deduplicated"
LONG = True


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        for w in range(workers):
            asked = comm.recv(w)
            local = asked // 1_000 - cuts[comm.rank - workers]
            comm.send(shard[local.repeat_interleave(asked % 1_000)], w)
        return None
    known, sending = [], []
    for s in range(len(cuts) - 1):
        mine = ids[(ids >= cuts[s]) & (ids < cuts[s + 1])]
        unique, times = torch.unique(mine, return_counts=True)
        sending.append(comm.isend(unique * 1_000 + times, workers + s))
    order = torch.argsort(ids, stable=True)
    for s in range(len(cuts) - 1):
        known.append(comm.recv(workers + s))
    for work in sending:
        work.wait()
    rows = torch.cat(known)
    out = torch.empty_like(rows)
    out[order] = rows
    return out

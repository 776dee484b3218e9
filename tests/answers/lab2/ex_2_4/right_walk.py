"""Walks from key to key, shard by shard; pulled pieces are sorted and joined."""

import bisect

import torch

LONG = True


def range_push(comm, bounds, lo, hi, vals):
    at, sent = lo, set()
    while at < hi:
        server = bisect.bisect_right(bounds, at) - 1
        end = min(hi, bounds[server + 1])
        comm.post(server + 1, "push", {"lo": at, "n": end - at}, [vals[at - lo:end - lo]])
        sent.add(at)
        at = end
    while sent:
        sent.discard(comm.poll().meta["lo"])


def range_pull(comm, bounds, lo, hi, dim):
    at, sent, found = lo, 0, {}
    while at < hi:
        server = bisect.bisect_right(bounds, at) - 1
        end = min(hi, bounds[server + 1])
        comm.post(server + 1, "pull", {"lo": at, "n": end - at})
        at, sent = end, sent + 1
    while len(found) < sent:
        letter = comm.poll()
        found[letter.meta["lo"]] = letter.tensors[0]
    return torch.cat([found[first] for first in sorted(found)]) if found else torch.zeros(0, dim)

"""Pieces first, then letters, then answers by their lo."""

import torch


def pieces(bounds, lo, hi):
    found = []
    for server in range(len(bounds) - 1):
        first, end = max(lo, bounds[server]), min(hi, bounds[server + 1])
        if first < end:
            found.append((server, first, end - first))
    return found


def range_push(comm, bounds, lo, hi, vals):
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "push", {"lo": first, "n": n}, [vals[first - lo:first - lo + n]])
    for _ in cut:
        comm.poll()


def range_pull(comm, bounds, lo, hi, dim):
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "pull", {"lo": first, "n": n})
    out = torch.empty(hi - lo, dim)
    for _ in cut:
        letter = comm.poll()
        at = letter.meta["lo"] - lo
        out[at:at + len(letter.tensors[0])] = letter.tensors[0]
    return out

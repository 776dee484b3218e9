"""hi is among the keys."""

BASE = "right_cut"
REFUSED_BY = "within one shard"
MISCONCEPTION = "2/range-past-its-end"
LONG = True


def range_pull(comm, bounds, lo, hi, dim):
    cut = pieces(bounds, lo, hi + 1) if hi < bounds[-1] else pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "pull", {"lo": first, "n": n})
    out = torch.empty(hi - lo, dim)
    for _ in cut:
        letter = comm.poll()
        at = letter.meta["lo"] - lo
        out[at:at + len(letter.tensors[0])] = letter.tensors[0]
    return out

"""Names first and last key."""

BASE = "right_cut"
REFUSED_BY = "within one shard"
MISCONCEPTION = "2/not-the-letter-agreed"
LONG = True


def range_pull(comm, bounds, lo, hi, dim):
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "pull", {"first": first, "last": first + n})
    out = torch.empty(hi - lo, dim)
    for _ in cut[:0]:
        letter = comm.poll()
        at = letter.meta["lo"] - lo
        out[at:at + len(letter.tensors[0])] = letter.tensors[0]
    return out

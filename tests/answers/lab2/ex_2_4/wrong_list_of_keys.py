"""Names the keys one by one."""

BASE = "right_cut"
REFUSED_BY = "bytes and letters"
MISCONCEPTION = "2/list-of-keys"


def range_pull(comm, bounds, lo, hi, dim):
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "pull", {"lo": first, "n": n}, [torch.arange(first, first + n)])
    out = torch.empty(hi - lo, dim)
    for _ in cut:
        letter = comm.poll()
        at = letter.meta["lo"] - lo
        out[at:at + len(letter.tensors[0])] = letter.tensors[0]
    return out

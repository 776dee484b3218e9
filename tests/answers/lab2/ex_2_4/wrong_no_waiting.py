"""A push returns when its letters are posted."""

BASE = "right_cut"
REFUSED_BY = "within one shard"
MISCONCEPTION = "2/answers-left-behind"


def range_push(comm, bounds, lo, hi, vals):
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "push", {"lo": first, "n": n}, [vals[first - lo:first - lo + n]])

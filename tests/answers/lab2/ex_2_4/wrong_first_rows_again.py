"""Every piece begins at the first row of vals."""

BASE = "right_cut"
REFUSED_BY = "across shards"
MISCONCEPTION = "2/wrong-slice-of-values"


def range_push(comm, bounds, lo, hi, vals):
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "push", {"lo": first, "n": n}, [vals[:n]])
    for _ in cut:
        comm.poll()

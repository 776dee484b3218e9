"""Slices vals by keys."""

BASE = "right_cut"
REFUSED_BY = "within one shard"
MISCONCEPTION = "2/wrong-slice-of-values"
LONG = True


def range_push(comm, bounds, lo, hi, vals):
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        first_row = first % len(vals)
        comm.post(server + 1, "push", {"lo": first, "n": n}, [vals.roll(-first_row, 0)[:n]])
    for _ in cut:
        comm.poll()

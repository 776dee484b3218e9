"""Waits for one acknowledgement."""

BASE = "right_cut"
REFUSED_BY = "across shards"
MISCONCEPTION = "2/answers-left-behind"
LONG = True


def range_push(comm, bounds, lo, hi, vals):
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "push", {"lo": first, "n": n}, [vals[first - lo:first - lo + n]])
    if cut:
        comm.poll()

"""Values as float64."""

BASE = "right_cut"
REFUSED_BY = "bytes and letters"
MISCONCEPTION = "2/values-too-wide"
LONG = True


def range_push(comm, bounds, lo, hi, vals):
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "push", {"lo": first, "n": n}, [vals.double()[first - lo:first - lo + n]])
    for _ in cut:
        comm.poll()

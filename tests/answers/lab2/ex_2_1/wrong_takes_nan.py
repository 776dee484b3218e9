"""Looks at shapes alone."""

BASE = "right_searched"
REFUSED_BY = "refused requests"
MISCONCEPTION = "2/bad-request-served"
LONG = True


def refuse_bad(state, request):
    keys, vals = request["keys"], request["vals"]
    if request["kind"] not in ("push", "pull") or (keys < 0).any():
        raise ValueError("unknown kind, or a negative key")
    if request["kind"] == "push" and vals.shape != (len(keys), state.dim):
        raise ValueError("bad values")

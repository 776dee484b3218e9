"""Sums into the caller's values."""

BASE = "right_searched"
REFUSED_BY = "equal keys are summed"
MISCONCEPTION = "2/arguments-changed"
LONG = True


def server_handle(state, request):
    refuse_bad(state, request)
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        return rows[inverse]
    first = torch.full((len(unique),), -1)
    for i, u in enumerate(inverse.tolist()):
        if first[u] < 0:
            first[u] = i
        else:
            request["vals"][first[u]] += request["vals"][i]
    sums = request["vals"][first]
    put(state, unique, state.update(rows, sums), place, known)

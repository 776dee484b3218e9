"""Assigns where it should add."""

BASE = "right_searched"
REFUSED_BY = "equal keys are summed"
MISCONCEPTION = "2/last-duplicate-wins"


def server_handle(state, request):
    refuse_bad(state, request)
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        return rows[inverse]
    sums = torch.zeros(len(unique), state.dim)
    for place_of_val, val in zip(inverse.tolist(), request["vals"]):
        sums[place_of_val] = val
    put(state, unique, state.update(rows, sums), place, known)

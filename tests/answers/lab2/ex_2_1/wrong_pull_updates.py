"""A pull is a push of zeros, whose result is thrown away."""

BASE = "right_searched"
REFUSED_BY = "one operation for all keys"
MISCONCEPTION = "2/pull-updates"
LONG = True


def server_handle(state, request):
    refuse_bad(state, request)
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        state.update(rows, torch.zeros_like(rows))
        return rows[inverse]
    sums = torch.zeros(len(unique), state.dim).index_add_(0, inverse, request["vals"])
    put(state, unique, state.update(rows, sums), place, known)

"""Rows in the order of the keys."""

BASE = "right_searched"
REFUSED_BY = "push, then pull"
MISCONCEPTION = "2/reply-in-key-order"
LONG = True


def server_handle(state, request):
    refuse_bad(state, request)
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        return rows[inverse.sort().values]
    sums = torch.zeros(len(unique), state.dim).index_add_(0, inverse, request["vals"])
    put(state, unique, state.update(rows, sums), place, known)

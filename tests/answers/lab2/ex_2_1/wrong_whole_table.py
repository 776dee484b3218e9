"""A step of the whole table, zeros where nothing was pushed."""

BASE = "right_searched"
REFUSED_BY = "push, then pull"
MISCONCEPTION = "2/untouched-row-moved"
LONG = True


def server_handle(state, request):
    refuse_bad(state, request)
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        return rows[inverse]
    sums = torch.zeros(len(unique), state.dim).index_add_(0, inverse, request["vals"])
    put(state, unique, rows, place, known)
    total = torch.zeros_like(state.rows)
    total[torch.searchsorted(state.keys, unique)] = sums
    state.rows = state.update(state.rows, total)

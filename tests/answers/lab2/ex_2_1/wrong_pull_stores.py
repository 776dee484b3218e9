"""A pull puts what it made up into the table."""

BASE = "right_searched"
REFUSED_BY = "unknown keys, on any number of servers"
MISCONCEPTION = "2/pull-adds-keys"
LONG = True


def server_handle(state, request):
    refuse_bad(state, request)
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        put(state, unique, rows, place, known)
        return rows[inverse]
    sums = torch.zeros(len(unique), state.dim).index_add_(0, inverse, request["vals"])
    put(state, unique, state.update(rows, sums), place, known)

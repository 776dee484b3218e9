"""A pull of the whole table gives the table itself."""

BASE = "right_searched"
REFUSED_BY = "push, then pull"
MISCONCEPTION = "2/reply-is-the-table"
LONG = True


def server_handle(state, request):
    refuse_bad(state, request)
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        whole = torch.equal(request["keys"], state.keys)
        return state.rows if whole else rows[inverse]
    sums = torch.zeros(len(unique), state.dim).index_add_(0, inverse, request["vals"])
    put(state, unique, state.update(rows, sums), place, known)

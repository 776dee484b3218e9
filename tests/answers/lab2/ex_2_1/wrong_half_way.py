"""Makes keys known before it looks at the values."""

BASE = "right_searched"
REFUSED_BY = "refused requests"
MISCONCEPTION = "2/refused-half-way"


def server_handle(state, request):
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "push" and (unique >= 0).all():
        put(state, unique, rows, place, known)
        rows, place, known = look_up(state, unique)
    refuse_bad(state, request)
    if request["kind"] == "pull":
        return rows[inverse]
    sums = torch.zeros(len(unique), state.dim).index_add_(0, inverse, request["vals"])
    put(state, unique, state.update(rows, sums), place, known)

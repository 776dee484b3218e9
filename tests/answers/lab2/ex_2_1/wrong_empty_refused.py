"""Takes an empty request for an error."""

BASE = "right_searched"
REFUSED_BY = "push, then pull"
MISCONCEPTION = "2/good-refused"
LONG = True


def server_handle(state, request):
    refuse_bad(state, request)
    if len(request["keys"]) == 0:
        raise ValueError("no keys")
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        return rows[inverse]
    sums = torch.zeros(len(unique), state.dim).index_add_(0, inverse, request["vals"])
    put(state, unique, state.update(rows, sums), place, known)

"""Keys as float32, where large ones fall together."""

BASE = "right_searched"
REFUSED_BY = "push, then pull"
MISCONCEPTION = "2/wrong-rows"
LONG = True


def server_handle(state, request):
    refuse_bad(state, request)
    unique, inverse = torch.unique(request["keys"].float(), return_inverse=True)
    unique = unique.long()
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        return rows[inverse]
    sums = torch.zeros(len(unique), state.dim).index_add_(0, inverse, request["vals"])
    put(state, unique, state.update(rows, sums), place, known)

"""Sums first, and then takes a step for each key."""

BASE = "right_searched"
REFUSED_BY = "one operation for all keys"
MISCONCEPTION = "2/a-loop-over-keys"


def server_handle(state, request):
    refuse_bad(state, request)
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        return rows[inverse]
    sums = torch.zeros(len(unique), state.dim).index_add_(0, inverse, request["vals"])
    put(state, unique, each_by_itself(state, rows, sums), place, known)


def each_by_itself(state, rows, sums):
    return torch.cat([state.update(row[None], total[None]) for row, total in zip(rows, sums)] + [rows[:0]])

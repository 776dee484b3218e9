"""New keys go to the end of the table."""

BASE = "right_searched"
REFUSED_BY = "unknown keys, on any number of servers"
MISCONCEPTION = "2/keys-out-of-order"
LONG = True


def look_up(state, unique):
    place = torch.zeros(len(unique), dtype=torch.int64)
    known = torch.isin(unique, state.keys)
    for i in range(len(unique)):
        if known[i]:
            place[i] = (state.keys == unique[i]).nonzero()[0, 0]
    rows = state.initial(unique)
    rows[known] = state.rows[place[known]]
    return rows, place, known


def put(state, unique, rows, place, known):
    state.rows[place[known]] = rows[known]
    state.keys, state.rows = torch.cat([state.keys, unique[~known]]), torch.cat([state.rows, rows[~known]])

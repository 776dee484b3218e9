"""Asks for first values key by key."""

BASE = "right_searched"
REFUSED_BY = "one operation for all keys"
MISCONCEPTION = "2/a-loop-over-keys"
LONG = True


def look_up(state, unique):
    place = torch.searchsorted(state.keys, unique)
    known = torch.isin(unique, state.keys)
    rows = torch.zeros(len(unique), state.dim)
    for i in range(len(unique)):
        rows[i] = state.rows[place[i]] if known[i] else state.initial(unique[i:i + 1])[0]
    return rows, place, known

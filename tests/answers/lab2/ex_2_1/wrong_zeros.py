"""Unknown rows begin at zero."""

BASE = "right_searched"
REFUSED_BY = "push, then pull"
MISCONCEPTION = "2/unknown-rows-are-zero"
LONG = True


def look_up(state, unique):
    place = torch.searchsorted(state.keys, unique)
    known = torch.isin(unique, state.keys)
    rows = torch.zeros(len(unique), state.dim)
    rows[known] = state.rows[place[known]]
    return rows, place, known

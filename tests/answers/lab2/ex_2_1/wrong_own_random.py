"""First values by a generator of its own."""

BASE = "right_searched"
REFUSED_BY = "push, then pull"
MISCONCEPTION = "2/wrong-rows"
LONG = True


def look_up(state, unique):
    place = torch.searchsorted(state.keys, unique)
    known = torch.isin(unique, state.keys)
    rows = torch.zeros(len(unique), state.dim)
    rows[known] = state.rows[place[known]]
    rows[~known] = torch.randn(int((~known).sum()), state.dim)
    return rows, place, known

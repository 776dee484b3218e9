"""Everybody who has something of the new range sends the whole of it."""

REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/not-the-owners-rows"
LONG = True


def movement_plan(old, new):
    return [(s, t, new[t], new[t + 1]) for s in range(len(old) - 1) for t in range(len(new) - 1)
            if s != t and max(old[s], new[t]) < min(old[s + 1], new[t + 1])]

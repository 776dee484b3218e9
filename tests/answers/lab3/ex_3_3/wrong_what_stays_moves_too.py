"""Entries from a server to itself."""

REFUSED_BY = "only rows that must move"
MISCONCEPTION = "3/moves-what-stays"
LONG = True


def movement_plan(old, new):
    return [(s, t, max(old[s], new[t]), min(old[s + 1], new[t + 1])) for s in range(len(old) - 1)
            for t in range(len(new) - 1) if max(old[s], new[t]) < min(old[s + 1], new[t + 1])]

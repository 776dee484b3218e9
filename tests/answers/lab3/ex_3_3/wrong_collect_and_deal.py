"""Server 0 collects the whole table and deals it out."""

REFUSED_BY = "only rows that must move"
MISCONCEPTION = "3/by-a-third"
LONG = True


def movement_plan(old, new):
    return ([(s, 0, old[s], old[s + 1]) for s in range(1, len(old) - 1) if old[s] < old[s + 1]]
            + [(0, t, new[t], new[t + 1]) for t in range(1, len(new) - 1) if new[t] < new[t + 1]])

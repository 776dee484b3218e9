"""An entry for every pair, also where no row is shared."""

REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/entry-without-rows"
LONG = True


def movement_plan(old, new):
    return [(s, t, max(old[s], new[t]), min(old[s + 1], new[t + 1]))
            for s in range(len(old) - 1) for t in range(len(new) - 1) if s != t]

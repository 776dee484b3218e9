"""Server s sends what lies in its new range."""

REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/not-the-owners-rows"
LONG = True


def movement_plan(old, new):
    return [(t, (t + 1) % (len(old) - 1), new[t], new[t + 1]) for t in range(len(new) - 1)
            if t < len(old) - 1 and old[t:t + 2] != new[t:t + 2] and new[t] < new[t + 1]]

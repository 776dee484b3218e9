"""Walks along all rows."""

REFUSED_BY = "a table of 10^12 rows"
MISCONCEPTION = "3/table-of-rows"
LONG = True


def movement_plan(old, new):
    plan = []
    for row in range(old[-1]):
        s = next(s for s in range(len(old) - 1) if old[s] <= row < old[s + 1])
        t = next(t for t in range(len(new) - 1) if new[t] <= row < new[t + 1])
        if s == t:
            continue
        if plan and plan[-1][:2] == (s, t) and plan[-1][3] == row:
            plan[-1] = (s, t, plan[-1][2], row + 1)
        else:
            plan.append((s, t, row, row + 1))
    return plan

"""The last row is the end."""

BASE = "right_pairs"
REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/range-off-by-one"
LONG = True


plan_of = movement_plan


def movement_plan(old, new):
    return [(s, t, a, b - 1) for s, t, a, b in plan_of(old, new) if a < b - 1]

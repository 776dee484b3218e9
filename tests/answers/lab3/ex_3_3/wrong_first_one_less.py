"""Begins one row early."""

BASE = "right_pairs"
REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/range-off-by-one"
LONG = True


plan_of = movement_plan


def movement_plan(old, new):
    return [(s, t, max(a - 1, 0), b) for s, t, a, b in plan_of(old, new)]

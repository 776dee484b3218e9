"""Entries without rows' numbers."""

BASE = "right_pairs"
REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "all/bad-value"
LONG = True


plan_of = movement_plan


def movement_plan(old, new):
    return [(s, t, b - a) for s, t, a, b in plan_of(old, new)]

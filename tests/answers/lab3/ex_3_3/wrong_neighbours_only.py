"""Looks at the server before and the one behind only."""

BASE = "right_pairs"
REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/rows-left-behind"
LONG = True


plan_of = movement_plan


def movement_plan(old, new):
    return [entry for entry in plan_of(old, new) if abs(entry[0] - entry[1]) == 1]

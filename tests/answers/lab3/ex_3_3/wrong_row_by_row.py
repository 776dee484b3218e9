"""An entry for each row."""

BASE = "right_pairs"
REFUSED_BY = "one entry for each pair"
MISCONCEPTION = "3/row-by-row"


plan_of = movement_plan


def movement_plan(old, new):
    return [(s, t, row, row + 1) for s, t, a, b in plan_of(old, new) for row in range(a, b)]

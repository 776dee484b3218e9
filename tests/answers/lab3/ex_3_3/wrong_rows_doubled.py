"""Every sender gives its rows twice."""

BASE = "right_pairs"
REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/row-moved-twice"
LONG = True


plan_of = movement_plan


def movement_plan(old, new):
    return [entry for entry in plan_of(old, new) for _ in range(2)]

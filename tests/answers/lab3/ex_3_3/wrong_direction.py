"""To and from are swapped."""

BASE = "right_pairs"
REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/wrong-direction"


plan_of = movement_plan


def movement_plan(old, new):
    return [(t, s, a, b) for s, t, a, b in plan_of(old, new)]

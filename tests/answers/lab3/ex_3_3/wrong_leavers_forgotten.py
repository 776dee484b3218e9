"""Servers that go keep their rows."""

BASE = "right_pairs"
REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/rows-left-behind"
LONG = True


plan_of = movement_plan


def movement_plan(old, new):
    return [entry for entry in plan_of(old, new) if entry[0] < len(new) - 1]

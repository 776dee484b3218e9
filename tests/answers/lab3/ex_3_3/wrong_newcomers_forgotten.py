"""Only servers that are there before and after."""

BASE = "right_pairs"
REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/rows-left-behind"
LONG = True


plan_of = movement_plan


def movement_plan(old, new):
    both = min(len(old), len(new)) - 1
    return [entry for entry in plan_of(old, new) if max(entry[:2]) < both]

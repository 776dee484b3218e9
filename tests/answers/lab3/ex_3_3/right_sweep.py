"""All cuts in order; between two of them owners do not change."""

from bisect import bisect_right

LONG = True


def movement_plan(old, new):
    cuts = sorted(set(old) | set(new))
    plan = []
    for first, end in zip(cuts, cuts[1:]):
        entry = (bisect_right(old, first) - 1, bisect_right(new, first) - 1, first, end)
        if entry[0] != entry[1]:
            plan.append(entry)
    return plan

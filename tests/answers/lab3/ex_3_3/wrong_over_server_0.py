"""Everything goes over server 0."""

BASE = "right_pairs"
REFUSED_BY = "only rows that must move"
MISCONCEPTION = "3/by-a-third"


plan_of = movement_plan


def movement_plan(old, new):
    plan = plan_of(old, new)
    return ([(s, 0, a, b) for s, t, a, b in plan if 0 not in (s, t)] + [e for e in plan if 0 in e[:2]]
            + [(0, t, a, b) for s, t, a, b in plan if 0 not in (s, t)])

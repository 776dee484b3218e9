"""Servers are numbered from 1."""

BASE = "right_pairs"
REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/no-such-server"
LONG = True


plan_of = movement_plan


def movement_plan(old, new):
    return [(s + 1, t + 1, a, b) for s, t, a, b in plan_of(old, new)]

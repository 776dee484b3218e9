"""Remembers the number that came last."""

BASE = "right_mark"
REFUSED_BY = "copies and letters that overtake"
MISCONCEPTION = "2/applied-twice"
LONG = True


def is_new(seen, sender, incarnation, number):
    new = seen.get((sender, incarnation)) != number
    seen[sender, incarnation] = number
    return new

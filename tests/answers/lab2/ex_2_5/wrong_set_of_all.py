"""A set of all that ever came."""

BASE = "right_mark"
REFUSED_BY = "little memory"
MISCONCEPTION = "2/remembers-everything"


def is_new(seen, sender, incarnation, number):
    who = sender, incarnation, number
    new = who not in seen
    seen[who] = True
    return new

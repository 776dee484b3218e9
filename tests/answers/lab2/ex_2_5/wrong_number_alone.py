"""A push is its number."""

BASE = "right_mark"
REFUSED_BY = "several senders"
MISCONCEPTION = "2/number-alone"
LONG = True


def is_new(seen, sender, incarnation, number):
    who = number
    new = who not in seen
    seen[who] = True
    return new

"""A push is its incarnation and number."""

BASE = "right_mark"
REFUSED_BY = "several senders"
MISCONCEPTION = "2/sender-ignored"


def is_new(seen, sender, incarnation, number):
    who = incarnation, number
    new = who not in seen
    seen[who] = True
    return new

"""A push is its sender and number."""

BASE = "right_mark"
REFUSED_BY = "a worker that starts again"
MISCONCEPTION = "2/incarnation-ignored"


def is_new(seen, sender, incarnation, number):
    who = sender, number
    new = who not in seen
    seen[who] = True
    return new

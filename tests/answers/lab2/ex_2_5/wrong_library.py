"""Lets the kit remember."""

BASE = "right_mark"
REFUSED_BY = "copies and letters that overtake"
MISCONCEPTION = "all/forbidden"
LONG = True


def is_new(seen, sender, incarnation, number):
    from pslab.ps.dedup import Seen
    return Seen

"""Adds whatever comes."""

BASE = "right_mark"
REFUSED_BY = "copies and letters that overtake"
MISCONCEPTION = "2/applied-twice"
LONG = True


def is_new(*args):
    return True

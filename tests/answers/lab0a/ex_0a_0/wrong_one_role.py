"""Forgets to ask which rank it is."""

BASE = "right_plain"
REFUSED_BY = "a role for each rank"
MISCONCEPTION = "0/one-role-for-all"
LONG = True


def role(comm):
    return "first"

"""Turns for ever instead of waiting."""

BASE = "right_plain"
REFUSED_BY = "a deadlock on purpose"
MISCONCEPTION = "all/timed-out"


def jam(comm, x):
    while True:
        pass

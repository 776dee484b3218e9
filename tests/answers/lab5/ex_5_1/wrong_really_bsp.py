"""Everybody in step, whatever s is."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/really-bsp"
LONG = True


def may_begin(commits, me, s):
    return min(commits) == commits[me]

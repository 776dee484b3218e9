"""Whoever is too far behind the fastest waits."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/max-for-min"
LONG = True


def may_begin(commits, me, s):
    return max(commits) - commits[me] <= s

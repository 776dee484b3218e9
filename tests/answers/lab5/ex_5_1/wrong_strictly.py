"""Less instead of less or equal."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/own-clock-counts"
LONG = True


def may_begin(commits, me, s):
    return commits[me] - min(commits) < s

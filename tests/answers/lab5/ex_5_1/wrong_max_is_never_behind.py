"""The largest clock where the smallest is meant."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/really-asp"
LONG = True


def may_begin(commits, me, s):
    return max(commits) >= commits[me] - s

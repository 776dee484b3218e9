"""The mean of the clocks."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/mean-for-min"
LONG = True


def may_begin(commits, me, s):
    return sum(commits) / len(commits) >= commits[me] - s

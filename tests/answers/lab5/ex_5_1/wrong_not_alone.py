"""The smallest of the others: there may be none."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "all/raised"
LONG = True


def may_begin(commits, me, s):
    return min(clock for r, clock in enumerate(commits) if r != me) >= commits[me] - s

"""The iteration that is about to begin counts."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/own-clock-counts"


def may_begin(commits, me, s):
    return min(commits) >= commits[me] + 1 - s

"""max - min of commits."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/spread-of-commits"


def may_begin(commits, me, s):
    return max(commits) - min(commits) <= s

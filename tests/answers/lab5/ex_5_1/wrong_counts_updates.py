"""s updates of all workers."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/s-counts-updates"
LONG = True


def may_begin(commits, me, s):
    return sum(commits[me] - other for other in commits) <= s

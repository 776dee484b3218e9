"""s - 1 for s, and no deadlock at 0."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/one-too-tight"
LONG = True


def may_begin(commits, me, s):
    return min(commits) >= commits[me] - max(s - 1, 0)

"""Worker 0 is taken for everyone."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/not-my-clock"
LONG = True


def may_begin(commits, me, s):
    return min(commits) >= commits[0] - s

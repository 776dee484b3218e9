"""The rule as it is written."""

LONG = True


def may_begin(commits, me, s):
    return min(commits) >= commits[me] - s

"""The rule as it is written."""


def may_begin(commits, me, s):
    return min(commits) >= commits[me] - s

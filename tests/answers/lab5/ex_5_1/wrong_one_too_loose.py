"""Tested as if the worker had not committed."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/one-too-loose"


def may_begin(commits, me, s):
    return min(commits) >= commits[me] - 1 - s

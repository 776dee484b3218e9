"""Counts its own calls."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/waits-without-need"
LONG = True


calls = []


def may_begin(commits, me, s):
    calls.append(me)
    return min(commits) >= commits[me] - s and len(calls) % 50 != 0

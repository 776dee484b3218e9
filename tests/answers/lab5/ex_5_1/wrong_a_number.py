"""The lead, and not whether it is allowed."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "all/bad-value"
LONG = True


def may_begin(commits, me, s):
    return max(0, s + min(commits) - commits[me])

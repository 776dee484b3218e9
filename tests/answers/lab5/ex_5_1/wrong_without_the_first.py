"""Off for small clocks: the first s iterations are let through, and one more."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/one-too-loose"
LONG = True


def may_begin(commits, me, s):
    return commits[me] <= s + 1 or min(commits) >= commits[me] - s

"""A ring of neighbours."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/one-neighbour"
LONG = True


def may_begin(commits, me, s):
    return commits[(me + 1) % len(commits)] >= commits[me] - s

"""Only the one before t - tau."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/looks-at-one"
LONG = True


def may_issue(finished, me, t, tau):
    return t <= tau or t - tau - 1 in finished[me]

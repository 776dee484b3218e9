"""A negative iteration is asked for."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/stuck-at-the-start"
LONG = True


def may_issue(finished, me, t, tau):
    return t - tau - 1 in finished[me]

"""The newest answer."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/newest-answer"
LONG = True


def may_issue(finished, me, t, tau):
    return t <= tau or max(finished[me], default=-1) >= t - tau - 1

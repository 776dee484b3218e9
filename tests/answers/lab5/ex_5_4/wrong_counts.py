"""How many are finished."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/counts-answers"


def may_issue(finished, me, t, tau):
    return len(finished[me]) >= t - tau

"""How many are open."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/window-of-requests"
LONG = True


def may_issue(finished, me, t, tau):
    return t - len(finished[me]) <= max(tau, 1)

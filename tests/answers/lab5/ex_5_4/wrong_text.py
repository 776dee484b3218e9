"""Says it in words."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "all/bad-value"
LONG = True


def may_issue(finished, me, t, tau):
    return 'yes' if all(i in finished[me] for i in range(t - tau)) else 'no'

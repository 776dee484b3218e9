"""All workers."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/waits-for-others"


def may_issue(finished, me, t, tau):
    return all(i in own for own in finished for i in range(t - tau))

"""All before t."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/one-at-a-time"
LONG = True


def may_issue(finished, me, t, tau):
    return all(i in finished[me] for i in range(t))

"""Worker 0's requests."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/not-me"
LONG = True


def may_issue(finished, me, t, tau):
    return all(i in finished[0] for i in range(t - tau))

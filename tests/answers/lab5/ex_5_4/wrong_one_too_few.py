"""Not the one just before t - tau."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/delay-too-loose"


def may_issue(finished, me, t, tau):
    return all(i in finished[me] for i in range(t - tau - 1))

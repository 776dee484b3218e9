"""t - tau as well."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/delay-too-tight"
LONG = True


def may_issue(finished, me, t, tau):
    return all(i in finished[me] for i in range(min(t, t - tau + 1)))

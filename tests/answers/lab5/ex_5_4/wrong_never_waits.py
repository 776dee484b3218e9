"""Nobody waits."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/nothing-held"
LONG = True


def may_issue(finished, me, t, tau):
    return True

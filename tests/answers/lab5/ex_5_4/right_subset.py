"""As sets."""

LONG = True


def may_issue(finished, me, t, tau):
    return finished[me].issuperset(range(t - tau))

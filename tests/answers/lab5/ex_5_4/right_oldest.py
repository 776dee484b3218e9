"""The oldest one that is under way is at most tau back."""

LONG = True


def may_issue(finished, me, t, tau):
    oldest = min(set(range(t)) - set(finished[me]), default=t)
    return t - oldest <= tau

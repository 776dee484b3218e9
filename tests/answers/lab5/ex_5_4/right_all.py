"""All before t - tau."""


def may_issue(finished, me, t, tau):
    return all(i in finished[me] for i in range(t - tau))

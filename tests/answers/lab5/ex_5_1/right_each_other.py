"""Nobody is further behind than s."""

LONG = True


def may_begin(commits, me, s):
    return all(commits[me] - other <= s for other in commits)

"""Right for few iterations, waits for all later on."""

REFUSED_BY = "fifty profiles of speeds"
MISCONCEPTION = "5/waits-without-need"
LONG = True


def may_begin(commits, me, s):
    return min(commits) >= commits[me] - (s if commits[me] <= 11 else 0)

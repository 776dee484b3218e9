"""Right for few iterations, one too loose later on."""

REFUSED_BY = "fifty profiles of speeds"
MISCONCEPTION = "5/too-far-ahead"
LONG = True


def may_begin(commits, me, s):
    return min(commits) >= commits[me] - s - (commits[me] > 11)

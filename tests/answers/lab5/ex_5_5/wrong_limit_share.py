"""The centre at the mean at once."""

BASE = "right_arrays"
REFUSED_BY = "the limit, tried on both sides"
MISCONCEPTION = "5/limit-is-a-share"
LONG = True


def alpha_limit(K):
    return 1 / K

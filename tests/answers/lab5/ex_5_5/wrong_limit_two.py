"""Of descent on one spring."""

BASE = "right_arrays"
REFUSED_BY = "the limit, tried on both sides"
MISCONCEPTION = "5/limit-of-descent"
LONG = True


def alpha_limit(K):
    return 2.0

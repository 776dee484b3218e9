"""The workers stand still."""

BASE = "right_arrays"
REFUSED_BY = "the limit, tried on both sides"
MISCONCEPTION = "5/centre-forgotten"


def alpha_limit(K):
    return 2 / K

"""Near it."""

BASE = "right_arrays"
REFUSED_BY = "the limit, tried on both sides"
MISCONCEPTION = "5/not-the-limit"
LONG = True


def alpha_limit(K):
    return round(2 / (K + 1), 2)

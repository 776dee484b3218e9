"""Where the sign begins to change."""

BASE = "right_arrays"
REFUSED_BY = "the limit, tried on both sides"
MISCONCEPTION = "5/half-the-limit"
LONG = True


def alpha_limit(K):
    return 1 / (K + 1)

"""As with one worker."""

BASE = "right_arrays"
REFUSED_BY = "the limit, tried on both sides"
MISCONCEPTION = "5/limit-of-one-worker"
LONG = True


def alpha_limit(K):
    return 1.0

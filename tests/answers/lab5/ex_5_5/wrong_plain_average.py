"""Everybody becomes the mean."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "5/plain-average"
LONG = True


def easgd_step(locals_, centre, alpha):
    return 0 * locals_ + locals_.mean(axis=0), locals_.mean(axis=0)

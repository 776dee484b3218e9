"""Returns one of the two."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "all/bad-value"
LONG = True


def easgd_step(locals_, centre, alpha):
    return centre + alpha * (locals_ - centre).sum(axis=0)

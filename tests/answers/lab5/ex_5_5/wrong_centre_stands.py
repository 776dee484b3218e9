"""Only the workers move."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "5/centre-stands-still"
LONG = True


def easgd_step(locals_, centre, alpha):
    pull = alpha * (locals_ - centre)
    return locals_ - pull, centre.copy()

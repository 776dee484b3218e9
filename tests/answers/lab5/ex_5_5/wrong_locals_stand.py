"""Only the centre moves."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "5/locals-stand-still"
LONG = True


def easgd_step(locals_, centre, alpha):
    pull = alpha * (locals_ - centre)
    return locals_.copy(), centre + pull.sum(axis=0)

"""Both move by half of it."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "5/not-the-step"
LONG = True


def easgd_step(locals_, centre, alpha):
    pull = alpha * (locals_ - centre)
    return locals_ - pull / 2, centre + pull.sum(axis=0) / 2

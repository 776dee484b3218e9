"""Away from each other."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "5/wrong-sign"


def easgd_step(locals_, centre, alpha):
    pull = alpha * (locals_ - centre)
    return locals_ + pull, centre - pull.sum(axis=0)

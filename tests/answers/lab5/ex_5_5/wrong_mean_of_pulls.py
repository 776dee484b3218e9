"""The mean."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "5/mean-for-sum"


def easgd_step(locals_, centre, alpha):
    pull = alpha * (locals_ - centre)
    return locals_ - pull, centre + pull.mean(axis=0)

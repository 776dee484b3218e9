"""The centre moves first."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "5/new-centre-for-all"
LONG = True


def easgd_step(locals_, centre, alpha):
    moved = centre + alpha * (locals_ - centre).sum(axis=0)
    return locals_ - alpha * (locals_ - moved), moved

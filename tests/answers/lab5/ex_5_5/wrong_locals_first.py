"""The workers move first."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "5/new-locals-for-the-centre"
LONG = True


def easgd_step(locals_, centre, alpha):
    moved = locals_ - alpha * (locals_ - centre)
    return moved, centre + alpha * (moved - centre).sum(axis=0)

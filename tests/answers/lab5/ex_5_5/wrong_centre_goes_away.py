"""The centre's sign."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "5/centre-goes-away"
LONG = True


def easgd_step(locals_, centre, alpha):
    pull = alpha * (locals_ - centre)
    return locals_ - pull, centre - pull.sum(axis=0)

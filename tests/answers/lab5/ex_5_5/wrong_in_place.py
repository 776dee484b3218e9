"""The caller's arrays."""

BASE = "right_arrays"
REFUSED_BY = "nothing is lost"
MISCONCEPTION = "5/callers-arrays"
LONG = True


def easgd_step(locals_, centre, alpha):
    pull = alpha * (locals_ - centre)
    locals_ -= pull
    centre += pull.sum(axis=0)
    return locals_, centre

"""One after the other."""

BASE = "right_arrays"
REFUSED_BY = "one exchange"
MISCONCEPTION = "5/new-centre-for-later-ones"


def easgd_step(locals_, centre, alpha):
    locals_, centre = locals_.copy(), centre.copy()
    for x in locals_:
        pull = alpha * (x - centre)
        x -= pull
        centre += pull
    return locals_, centre

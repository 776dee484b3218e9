"""Rounds to float32."""

import numpy as np

BASE = "right_arrays"
REFUSED_BY = "nothing is lost"
MISCONCEPTION = "5/not-conserved"
LONG = True


def easgd_step(locals_, centre, alpha):
    pull = alpha * (locals_ - centre)
    locals_, centre = locals_ - pull, centre + pull.sum(axis=0)
    return locals_.astype(np.float32).astype(float), centre.astype(np.float32).astype(float)

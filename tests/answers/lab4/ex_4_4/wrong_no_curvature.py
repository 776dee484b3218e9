"""The curvature is not used."""

import math

REFUSED_BY = "six rates"
MISCONCEPTION = "4/curvature-forgotten"


def stable_rate(tau, curvature):
    return 2 * math.sin(math.pi / (2 * (2 * tau + 1)))

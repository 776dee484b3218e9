"""The angle for its sine."""

import math

REFUSED_BY = "six rates"
MISCONCEPTION = "4/small-angle"
LONG = True


def stable_rate(tau, curvature):
    return math.pi / (2 * tau + 1) / curvature

"""Without the 2."""

import math

REFUSED_BY = "six rates"
MISCONCEPTION = "4/half-the-rate"
LONG = True


def stable_rate(tau, curvature):
    return math.sin(math.pi / (2 * (2 * tau + 1))) / curvature

"""The sine of degrees."""

import math

REFUSED_BY = "six rates"
MISCONCEPTION = "4/degrees"
LONG = True


def stable_rate(tau, curvature):
    return 2 * math.sin(90 / (2 * tau + 1)) / curvature

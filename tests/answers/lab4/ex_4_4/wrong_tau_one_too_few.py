"""One step too fresh."""

import math

REFUSED_BY = "six rates"
MISCONCEPTION = "4/tau-one-too-few"
LONG = True


def stable_rate(tau, curvature):
    return 2 * math.sin(math.pi / (2 * (2 * max(tau - 1, 0) + 1))) / curvature

"""Counts tau from 1."""

import math

REFUSED_BY = "six rates"
MISCONCEPTION = "4/tau-off-by-one"


def stable_rate(tau, curvature):
    return 2 * math.sin(math.pi / (2 * (2 * tau + 3))) / curvature

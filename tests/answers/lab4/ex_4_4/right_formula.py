"""The formula."""

import math


def stable_rate(tau, curvature):
    return 2 * math.sin(math.pi / (2 * (2 * tau + 1))) / curvature

"""Three quarters of the right one, to be safe."""

import math

REFUSED_BY = "six rates"
MISCONCEPTION = "4/another-rate"
LONG = True


def stable_rate(tau, curvature):
    return 1.5 * math.sin(math.pi / (2 * (2 * tau + 1))) / curvature

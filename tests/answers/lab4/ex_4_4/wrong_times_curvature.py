"""More curved, larger steps."""

import math

REFUSED_BY = "six rates"
MISCONCEPTION = "4/times-the-curvature"
LONG = True


def stable_rate(tau, curvature):
    return 2 * math.sin(math.pi / (2 * (2 * tau + 1))) * curvature

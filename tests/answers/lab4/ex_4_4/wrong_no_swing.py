"""Where swings begin."""

REFUSED_BY = "six rates"
MISCONCEPTION = "4/without-swinging"
LONG = True


def stable_rate(tau, curvature):
    return tau**tau / (tau + 1) ** (tau + 1) / curvature

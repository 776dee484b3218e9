"""A rule of thumb."""

REFUSED_BY = "six rates"
MISCONCEPTION = "4/one-over-tau"
LONG = True


def stable_rate(tau, curvature):
    return 1 / (max(tau, 1) * curvature)

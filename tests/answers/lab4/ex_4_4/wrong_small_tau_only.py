"""A table up to 3, and then its last."""

REFUSED_BY = "six rates"
MISCONCEPTION = "4/another-rate"
LONG = True


def stable_rate(tau, curvature):
    return [2.0, 1.0, 0.618, 0.445][min(tau, 3)] / curvature

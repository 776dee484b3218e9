"""The fresh rate, spread over tau + 1 steps."""

REFUSED_BY = "six rates"
MISCONCEPTION = "4/two-over-tau-plus-one"
LONG = True


def stable_rate(tau, curvature):
    return 2 / (tau + 1) / curvature

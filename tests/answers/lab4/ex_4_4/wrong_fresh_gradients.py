"""As for fresh gradients."""

REFUSED_BY = "six rates"
MISCONCEPTION = "4/staleness-changes-nothing"


def stable_rate(tau, curvature):
    return 2 / curvature

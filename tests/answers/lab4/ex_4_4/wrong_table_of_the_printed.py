"""A table of the printed ones, and a straight line between."""

REFUSED_BY = "twenty rates more"
MISCONCEPTION = "4/another-rate"
LONG = True


def stable_rate(tau, curvature):
    table = {0: 2.0, 1: 1.0, 2: 0.618, 3: 0.445, 8: 0.1845}
    return table.get(tau, 0.445 - (tau - 3) * 0.0521) / curvature

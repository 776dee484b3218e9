"""Halves an interval, and looks at sixty steps."""

REFUSED_BY = "six rates"
MISCONCEPTION = "4/another-rate"
LONG = True


def stable_rate(tau, curvature):
    low, high = 0.0, 4.0 / curvature
    for _ in range(40):
        middle = (low + high) / 2
        w = [1.0] * (tau + 1)
        for _ in range(60):
            w.append(w[-1] - middle * curvature * w[-1 - tau])
        low, high = (middle, high) if abs(w[-1]) < 1 else (low, middle)
    return low

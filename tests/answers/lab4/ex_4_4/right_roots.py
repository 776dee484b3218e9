"""The largest root of the recurrence's polynomial against the unit circle."""

import numpy as np

LONG = True


def stable_rate(tau, curvature):
    low, high = 0.0, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        polynomial = np.zeros(tau + 2)
        polynomial[0], polynomial[1] = 1, -1
        polynomial[-1] += middle
        if abs(np.roots(polynomial)).max() < 1:
            low = middle
        else:
            high = middle
    return float(low / curvature)

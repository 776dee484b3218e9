"""A loop with the old centre, and the limit by bisection on the factor of the gap."""

import numpy as np

LONG = True


def easgd_step(locals_, centre, alpha):
    moved, sum_of_pulls = [], np.zeros_like(centre)
    for x in locals_:
        pull = alpha * (x - centre)
        moved.append(x - pull)
        sum_of_pulls = sum_of_pulls + pull
    return np.stack(moved), centre + sum_of_pulls


def alpha_limit(K):
    low, high = 0.0, 2.0
    for _ in range(60):
        alpha = (low + high) / 2
        locals_, centre = easgd_step(np.ones((K, 1)), np.zeros(1), alpha)
        gap = locals_.mean() - centre[0]
        low, high = (alpha, high) if abs(gap) < 1 else (low, alpha)
    return low

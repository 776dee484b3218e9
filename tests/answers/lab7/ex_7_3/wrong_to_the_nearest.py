"""Rounds as always."""

BASE = "right_numpy"
REFUSED_BY = "rounding by chance"
MISCONCEPTION = "7/rounded-to-the-nearest"


def stochastic_round(x, rng):
    return np.rint(x)

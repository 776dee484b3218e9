"""Noise, and no rounding."""

BASE = "right_numpy"
REFUSED_BY = "rounding by chance"
MISCONCEPTION = "7/not-a-whole-number"
LONG = True


def stochastic_round(x, rng):
    return x + rng.random(x.shape) - 0.5

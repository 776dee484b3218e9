"""Heads or tails."""

BASE = "right_numpy"
REFUSED_BY = "rounding by chance"
MISCONCEPTION = "7/heads-or-tails"
LONG = True


def stochastic_round(x, rng):
    return np.where(rng.random(x.shape) < 0.5, np.floor(x), np.ceil(x))

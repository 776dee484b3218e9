"""Up."""

BASE = "right_numpy"
REFUSED_BY = "rounding by chance"
MISCONCEPTION = "7/always-the-same"
LONG = True


def stochastic_round(x, rng):
    return np.ceil(x)

"""Too seldom up."""

BASE = "right_numpy"
REFUSED_BY = "rounding by chance"
MISCONCEPTION = "7/biased"
LONG = True


def stochastic_round(x, rng):
    low = np.floor(x)
    return low + (rng.random(x.shape) < (x - low) ** 2)

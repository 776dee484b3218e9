"""Up with the chance of down."""

BASE = "right_numpy"
REFUSED_BY = "rounding by chance"
MISCONCEPTION = "7/chance-exchanged"
LONG = True


def stochastic_round(x, rng):
    low = np.floor(x)
    return np.where(rng.random(x.shape) < x - low, low, np.ceil(x))

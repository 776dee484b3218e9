"""int() of a negative number is its ceiling."""

BASE = "right_numpy"
REFUSED_BY = "rounding by chance"
MISCONCEPTION = "7/further-than-the-neighbours"
LONG = True


def stochastic_round(x, rng):
    low = np.trunc(x)
    return low + (rng.random(x.shape) < np.abs(x - low))

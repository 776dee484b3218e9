"""Every code one too large."""

BASE = "right_numpy"
REFUSED_BY = "eight bits"
MISCONCEPTION = "7/wrong-codes"
LONG = True


def nearest(x):
    return np.rint(x) + 1

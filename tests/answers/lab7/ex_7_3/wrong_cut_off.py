"""Whole numbers by cutting off."""

BASE = "right_numpy"
REFUSED_BY = "eight bits"
MISCONCEPTION = "7/rounded-down"
LONG = True


def nearest(x):
    return np.floor(x)

"""Rows of sorted ids."""

BASE = "right_numpy"
REFUSED_BY = "the product of two rows"
MISCONCEPTION = "7/wrong-pair"
LONG = True


def qr_lookup(ids, remainders, quotients):
    first, second = places(np.sort(ids), remainders, quotients)
    return remainders[first] * quotients[second]

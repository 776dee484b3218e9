"""Added."""

BASE = "right_numpy"
REFUSED_BY = "the product of two rows"
MISCONCEPTION = "7/sum-for-product"
LONG = True


def qr_lookup(ids, remainders, quotients):
    first, second = places(ids, remainders, quotients)
    return remainders[first] + quotients[second]

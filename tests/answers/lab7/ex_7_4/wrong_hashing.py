"""The hashing trick."""

BASE = "right_numpy"
REFUSED_BY = "the product of two rows"
MISCONCEPTION = "7/remainder-alone"
LONG = True


def qr_lookup(ids, remainders, quotients):
    return remainders[ids % len(remainders)]

"""Past the square the quotient stays."""

BASE = "right_numpy"
REFUSED_BY = "the product of two rows"
MISCONCEPTION = "7/wrong-pair"
LONG = True


def places(ids, remainders, quotients):
    return ids % len(remainders), np.minimum(ids // len(remainders), len(remainders) - 1)

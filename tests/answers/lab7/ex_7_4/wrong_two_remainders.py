"""Two remainders."""

BASE = "right_numpy"
REFUSED_BY = "the product of two rows"
MISCONCEPTION = "7/both-by-remainder"
LONG = True


def places(ids, remainders, quotients):
    return ids % len(remainders), ids % len(quotients)

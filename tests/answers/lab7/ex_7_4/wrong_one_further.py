"""The quotient counts from one."""

BASE = "right_numpy"
REFUSED_BY = "the product of two rows"
MISCONCEPTION = "7/out-of-the-table"
LONG = True


def places(ids, remainders, quotients):
    return ids % len(remainders), ids // len(remainders) + 1

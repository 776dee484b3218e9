"""Quotient and remainder exchanged."""

BASE = "right_numpy"
REFUSED_BY = "the product of two rows"
MISCONCEPTION = "7/remainder-and-quotient-exchanged"


def places(ids, remainders, quotients):
    return ids // len(remainders), ids % len(remainders)

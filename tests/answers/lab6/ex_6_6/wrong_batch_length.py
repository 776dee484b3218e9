"""Expects no repeats."""


BASE = "right_short"
REFUSED_BY = "the expectation"
MISCONCEPTION = "6/batch-length"
LONG = True


def expected_touched(p, B):
    return float(B)

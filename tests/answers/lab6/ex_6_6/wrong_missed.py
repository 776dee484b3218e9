"""Rows that are missed."""


BASE = "right_short"
REFUSED_BY = "the expectation"
MISCONCEPTION = "6/missed-for-touched"
LONG = True


def expected_touched(p, B):
    return float(((1 - p) ** B).sum())

"""1 - p^B."""


BASE = "right_short"
REFUSED_BY = "the expectation"
MISCONCEPTION = "6/power-of-p"
LONG = True


def expected_touched(p, B):
    return float((1 - p**B).sum())

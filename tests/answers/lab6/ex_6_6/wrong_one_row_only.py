"""The hottest row only."""


BASE = "right_short"
REFUSED_BY = "the expectation"
MISCONCEPTION = "6/wrong-expectation"
LONG = True


def expected_touched(p, B):
    return float(1 - (1 - p[0]) ** B)

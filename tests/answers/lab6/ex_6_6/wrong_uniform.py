"""As if all rows were alike."""


BASE = "right_short"
REFUSED_BY = "the expectation"
MISCONCEPTION = "6/all-rows-alike"


def expected_touched(p, B):
    return len(p) * (1 - (1 - 1 / len(p)) ** B)

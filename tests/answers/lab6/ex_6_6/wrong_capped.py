"""B·p, at most 1."""


BASE = "right_short"
REFUSED_BY = "the expectation"
MISCONCEPTION = "6/capped-product"
LONG = True


def expected_touched(p, B):
    return float((B * p).clamp(max=1).sum())

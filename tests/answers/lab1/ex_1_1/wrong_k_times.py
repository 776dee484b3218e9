"""K times."""

BASE = "right_formulas"
REFUSED_BY = "how many times slower"
MISCONCEPTION = "1/k-times"
LONG = True


def times_slower(K, overlap):
    return float(K)

"""One worker too few."""

BASE = "right_formulas"
REFUSED_BY = "how many times slower"
MISCONCEPTION = "1/ratio-miscounted"
LONG = True


def times_slower(K, overlap):
    return (2 - overlap) * (K - 1) ** 2 / (2 * K)

"""Full overlap takes no time."""

BASE = "right_formulas"
REFUSED_BY = "how many times slower"
MISCONCEPTION = "1/overlap-hides-all"
LONG = True


def times_slower(K, overlap):
    return (1 - overlap) * K * K / (K - 1)

"""As if nothing ever overlapped."""

BASE = "right_formulas"
REFUSED_BY = "how many times slower"
MISCONCEPTION = "1/ratio-without-overlap"
LONG = True


def times_slower(K, overlap):
    return K * K / (K - 1)

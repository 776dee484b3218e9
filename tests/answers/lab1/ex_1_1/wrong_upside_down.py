"""The ring over the server."""

BASE = "right_formulas"
REFUSED_BY = "how many times slower"
MISCONCEPTION = "1/upside-down"
LONG = True


def times_slower(K, overlap):
    return (2 * (K - 1) / K) / ((2 - overlap) * K)

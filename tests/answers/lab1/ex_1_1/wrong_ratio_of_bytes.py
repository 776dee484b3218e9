"""Bytes over bytes."""

BASE = "right_formulas"
REFUSED_BY = "how many times slower"
MISCONCEPTION = "1/ratio-of-bytes"
LONG = True


def times_slower(K, overlap):
    return K * K / (2 * (K - 1))

"""Overlap saves bytes."""

BASE = "right_formulas"
REFUSED_BY = "printed settings"
MISCONCEPTION = "1/overlap-saves-bytes"


def busiest_link(K, S, P, overlap):
    here = min(S, K)
    right = {"ring": 8 * P * (K - 1) // K, "one server": 4 * P * K, "servers": 4 * P * max(K, S) // S,
             "beside": 4 * P * (K + here - 2) // here}
    return {name: int(count * (1 - overlap / 2)) for name, count in right.items()}

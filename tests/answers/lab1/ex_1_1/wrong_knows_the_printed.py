"""The printed settings, and zeros for all others."""

BASE = "right_formulas"
REFUSED_BY = "settings drawn"
MISCONCEPTION = "1/ports-miscounted"
LONG = True


def busiest_link(K, S, P, overlap):
    here = min(S, K)
    right = {"ring": 8 * P * (K - 1) // K, "one server": 4 * P * K, "servers": 4 * P * max(K, S) // S,
             "beside": 4 * P * (K + here - 2) // here}
    return right if P in (50_000_000, 1_000) else dict.fromkeys(right, 0)

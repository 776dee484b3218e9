"""Cuts the fraction at 1, since no more rows can be touched than there are."""

REFUSED_BY = "through the busiest port"
MISCONCEPTION = "9/never-is-above-one"


def crossover(K, D, key_bytes, S, view):
    row = 4 * D
    load = max(K / S, 1)
    sparse, dense = {
        "totals": (2 * K * (row + key_bytes), 2 * (K - 1) * row),
        "busiest": (2 * load * (row + key_bytes), 2 * (K - 1) / K * row),
        "direction": (load * (row + 2 * key_bytes), 2 * (K - 1) / K * row),
        "gather": (K * (K - 1) * (row + key_bytes), 2 * (K - 1) * row),
    }[view]
    return min(dense / sparse, 1.0)

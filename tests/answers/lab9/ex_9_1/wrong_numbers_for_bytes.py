"""Counts numbers, and keys in bytes."""

REFUSED_BY = "the printed example"
MISCONCEPTION = "9/crossover-miscounted"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = D, key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return (K - 1) * row / (K * (row + key))
    if view == "busiest":
        return (K - 1) * row / (K * load * (row + key))
    if view == "direction":
        return 2 * (K - 1) * row / (K * load * (row + 2 * key))
    return 2 * row / (K * (row + key))

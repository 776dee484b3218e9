"""Leaves the keys out."""

REFUSED_BY = "the printed example"
MISCONCEPTION = "9/keys-are-free"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, 0 * key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return (K - 1) * row / (K * (row + key))
    if view == "busiest":
        return (K - 1) * row / (K * load * (row + key))
    if view == "direction":
        return 2 * (K - 1) * row / (K * load * (row + 2 * key))
    return 2 * row / (K * (row + key))

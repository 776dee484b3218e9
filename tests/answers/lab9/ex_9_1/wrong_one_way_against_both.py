"""Swaps what the two views of a port compare."""

REFUSED_BY = "through the busiest port"
MISCONCEPTION = "9/one-way-or-both"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return (K - 1) * row / (K * (row + key))
    if view == "busiest":
        return 2 * (K - 1) * row / (K * load * (row + key))
    if view == "direction":
        return (K - 1) * row / (K * load * (row + 2 * key))
    return 2 * row / (K * (row + key))

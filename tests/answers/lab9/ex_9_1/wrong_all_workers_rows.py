"""Counts the rows of all workers together."""

REFUSED_BY = "the printed example"
MISCONCEPTION = "9/one-worker-or-all"


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return (K - 1) * row / (row + key)
    if view == "busiest":
        return (K - 1) * row / (load * (row + key))
    if view == "direction":
        return 2 * (K - 1) * row / (load * (row + 2 * key))
    return 2 * row / (row + key)

"""Counts the push and forgets the pull."""

REFUSED_BY = "the printed example"
MISCONCEPTION = "9/pull-is-free"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return 2 * (K - 1) * row / (K * (row + key))
    if view == "busiest":
        return 2 * (K - 1) * row / (K * load * (row + key))
    if view == "direction":
        return 2 * (K - 1) * row / (K * load * (row + key))
    return 2 * row / (K * (row + key))

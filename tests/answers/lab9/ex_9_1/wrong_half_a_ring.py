"""Counts the reduce-scatter and forgets the all-gather."""

REFUSED_BY = "the printed example"
MISCONCEPTION = "9/half-a-ring"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return (K - 1) * row / (2 * K * (row + key))
    if view == "busiest":
        return (K - 1) * row / (2 * K * load * (row + key))
    if view == "direction":
        return (K - 1) * row / (K * load * (row + 2 * key))
    return row / (K * (row + key))

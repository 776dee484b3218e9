"""Gives per cent."""

REFUSED_BY = "the printed example"
MISCONCEPTION = "9/fraction-not-percent"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return 100 * (K - 1) * row / (K * (row + key))
    if view == "busiest":
        return 100 * (K - 1) * row / (K * load * (row + key))
    if view == "direction":
        return 200 * (K - 1) * row / (K * load * (row + 2 * key))
    return 200 * row / (K * (row + key))

"""Divides the other way round."""

REFUSED_BY = "the printed example"
MISCONCEPTION = "9/both-sides-swapped"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return K * (row + key) / ((K - 1) * row)
    if view == "busiest":
        return (K * load * (row + key)) / ((K - 1) * row)
    if view == "direction":
        return (K * load * (row + 2 * key)) / (2 * (K - 1) * row)
    return K * (row + key) / (2 * row)

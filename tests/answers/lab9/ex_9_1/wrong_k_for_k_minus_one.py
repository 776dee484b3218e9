"""Lets the ring move K tables each half."""

REFUSED_BY = "the printed example"
MISCONCEPTION = "9/ring-moves-k"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return row / (row + key)
    if view == "busiest":
        return row / (load * (row + key))
    if view == "direction":
        return 2 * row / (load * (row + 2 * key))
    return 2 * row / (K * (row + key))

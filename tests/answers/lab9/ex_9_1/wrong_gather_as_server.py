"""Gives the server's crossover for the all-gather."""

REFUSED_BY = "the third rival"
MISCONCEPTION = "9/gather-is-a-server"


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return (K - 1) * row / (K * (row + key))
    if view == "busiest":
        return (K - 1) * row / (K * load * (row + key))
    if view == "direction":
        return 2 * (K - 1) * row / (K * load * (row + 2 * key))
    return (K - 1) * row / (K * (row + key))

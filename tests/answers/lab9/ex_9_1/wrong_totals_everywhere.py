"""Answers every view of the server with the sum over all links."""

REFUSED_BY = "through the busiest port"
MISCONCEPTION = "9/total-is-busiest"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, key_bytes
    if view == "totals":
        return (K - 1) * row / (K * (row + key))
    if view == "busiest":
        return (K - 1) * row / (K * (row + key))
    if view == "direction":
        return (K - 1) * row / (K * (row + key))
    return 2 * row / (K * (row + key))

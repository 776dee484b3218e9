"""Divides by S also when there are more servers than workers."""

REFUSED_BY = "through the busiest port"
MISCONCEPTION = "9/worker-port-is-free"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = 4 * D, key_bytes
    load = K / S
    if view == "totals":
        return (K - 1) * row / (K * (row + key))
    if view == "busiest":
        return (K - 1) * row / (K * load * (row + key))
    if view == "direction":
        return 2 * (K - 1) * row / (K * load * (row + 2 * key))
    return 2 * row / (K * (row + key))

"""Takes 32 for the size of a float32, and 8 for that of a key."""

REFUSED_BY = "the printed example"
MISCONCEPTION = "9/bits-and-bytes"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row, key = 32 * D, key_bytes
    load = max(K / S, 1)
    if view == "totals":
        return (K - 1) * row / (K * (row + key))
    if view == "busiest":
        return (K - 1) * row / (K * load * (row + key))
    if view == "direction":
        return 2 * (K - 1) * row / (K * load * (row + 2 * key))
    return 2 * row / (K * (row + key))

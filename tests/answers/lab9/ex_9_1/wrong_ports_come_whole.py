"""Gives each server a whole number of workers."""

REFUSED_BY = "through the busiest port"
MISCONCEPTION = "9/ports-come-whole"
LONG = True


def crossover(K, D, key_bytes, S, view):
    row = 4 * D
    load = -(-K // S)
    sparse, dense = {
        "totals": (2 * K * (row + key_bytes), 2 * (K - 1) * row),
        "busiest": (2 * load * (row + key_bytes), 2 * (K - 1) / K * row),
        "direction": (load * (row + 2 * key_bytes), 2 * (K - 1) / K * row),
        "gather": (K * (K - 1) * (row + key_bytes), 2 * (K - 1) * row),
    }[view]
    return dense / sparse

"""Both sides of the equation, in a table of views."""

LONG = True


def crossover(K, D, key_bytes, S, view):
    row = 4 * D
    load = max(K / S, 1)
    sparse, dense = {
        "totals": (2 * K * (row + key_bytes), 2 * (K - 1) * row),
        "busiest": (2 * load * (row + key_bytes), 2 * (K - 1) / K * row),
        "direction": (load * (row + 2 * key_bytes), 2 * (K - 1) / K * row),
        "gather": (K * (K - 1) * (row + key_bytes), 2 * (K - 1) * row),
    }[view]
    return dense / sparse

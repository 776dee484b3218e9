"""Gives one order for every link."""

REFUSED_BY = "order of finish"
MISCONCEPTION = "9/order-guessed"


def predict_bytes(K, V, D, n):
    row, key = 4 * D, 8
    return {
        "dense ring": 2 * (K - 1) * V * row,
        "server": 2 * K * n * (row + key),
        "sparse all-gather": K * (K - 1) * n * (row + key),
    }


def finish_order(K, V, D, n, latency_s, bandwidth_Bps):
    return ["dense ring", "server", "sparse all-gather"]

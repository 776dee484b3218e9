"""Counts the server's keys once."""

REFUSED_BY = "bytes by formula"
MISCONCEPTION = "9/keys-travel-once"
LONG = True


def predict_bytes(K, V, D, n):
    row, key = 4 * D, 8
    return {
        "dense ring": 2 * (K - 1) * V * row,
        "server": K * n * (2 * row + key),
        "sparse all-gather": K * (K - 1) * n * (row + key),
    }


def finish_order(K, V, D, n, latency_s, bandwidth_Bps):
    row = 4 * D
    seconds = {
        "dense ring": 2 * (K - 1) * (latency_s + V * row / K / bandwidth_Bps),
        "server": 8 * latency_s + (K + 1) * n * (row + 8) / bandwidth_Bps,
        "sparse all-gather": 2 * (K - 1) * latency_s + (K - 1) * n * (row + 8) / bandwidth_Bps,
    }
    return sorted(seconds, key=seconds.get)

"""Lets every worker send to itself as well."""

REFUSED_BY = "bytes by formula"
MISCONCEPTION = "9/gather-keeps-its-own"
LONG = True


def predict_bytes(K, V, D, n):
    row, key = 4 * D, 8
    return {
        "dense ring": 2 * (K - 1) * V * row,
        "server": 2 * K * n * (row + key),
        "sparse all-gather": K * K * n * (row + key),
    }


def finish_order(K, V, D, n, latency_s, bandwidth_Bps):
    row = 4 * D
    seconds = {
        "dense ring": 2 * (K - 1) * (latency_s + V * row / K / bandwidth_Bps),
        "server": 8 * latency_s + (K + 1) * n * (row + 8) / bandwidth_Bps,
        "sparse all-gather": 2 * (K - 1) * latency_s + (K - 1) * n * (row + 8) / bandwidth_Bps,
    }
    return sorted(seconds, key=seconds.get)

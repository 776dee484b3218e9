"""Counts the ports in tables of bytes, and takes the fullest; a server that pulls and pushes in turn."""

import numpy as np

LONG = True


def ports(K, V, D, n):
    """Bytes from rank to rank, by contender; rank K is the server."""
    worker_to_worker = ~np.eye(K, dtype=bool)
    ring = np.zeros((K, K))
    for rank in range(K):
        ring[rank, (rank + 1) % K] = 2 * (K - 1) * V * D * 4 / K
    gather = worker_to_worker * n * (D * 4 + 8)
    server = np.zeros((K + 1, K + 1))
    server[:K, K], server[K, :K] = n * (D * 4 + 16), n * D * 4
    return {
        "dense ring": ring,
        "server": server,
        "sparse all-gather": gather,
    }


def predict_bytes(K, V, D, n):
    return {name: round(table.sum()) for name, table in ports(K, V, D, n).items()}


def finish_order(K, V, D, n, latency_s, bandwidth_Bps):
    rounds = {"dense ring": 2 * (K - 1), "server": 8, "sparse all-gather": 2 * (K - 1)}

    def seconds(name):
        table = ports(K, V, D, n)[name]
        return rounds[name] * latency_s + max(table.sum(0).max(), table.sum(1).max()) / bandwidth_Bps

    return sorted(rounds, key=seconds)

"""Counts the bytes of a table of a million rows, port by port, and divides."""

import numpy as np


def crossover(K, D, key_bytes, S, view):
    V = 10**6
    ring = np.full(K, 2 * (K - 1) * V * D * 4 / K)          # bytes out of each rank
    up, down = D * 4 + 2 * key_bytes, D * 4                 # of one row named by one worker
    if view == "gather":
        return ring.sum() / (K * (K - 1) * (D * 4 + key_bytes)) / V
    if view == "totals":
        return ring.sum() / (K * (up + down)) / V
    server_in, server_out = K / S * up, K / S * down
    if view == "direction":
        return ring.max() / max(server_in, server_out, up, down) / V
    return ring.max() / max(server_in + server_out, up + down) / V

"""All S at once; arrays, and NumPy's own whole numbers, come back."""

import numpy as np

LONG = True


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    S = np.arange(1, K + 1)
    seconds = compute_s + 2 * np.maximum(K / S, 1) * 4 * P / bandwidth_Bps
    return S[seconds <= 1.05 * seconds[-1]].min()


def uplink_bytes(K, P, per_rack):
    return np.array([K, K // per_rack]) * 4 * P

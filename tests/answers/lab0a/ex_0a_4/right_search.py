"""Tries sizes until the ring is as fast, by halving the interval."""

LONG = True


def faster_ring(K, alpha_s, bandwidth_Bps, n):
    levels = (K - 1).bit_length()
    return 2 * (K - 1) * (alpha_s + n / K / bandwidth_Bps) <= 2 * levels * (alpha_s + n / bandwidth_Bps)


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    if faster_ring(K, alpha_s, bandwidth_Bps, 0):
        return 0
    low, high = 0.0, 1e15
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if faster_ring(K, alpha_s, bandwidth_Bps, middle) else (middle, high)
    return high

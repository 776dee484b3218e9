"""A formula that was fitted to powers of two: log2 K from the float, then cut."""

import math

REFUSED_BY = "other links"
MISCONCEPTION = "0/log-rounded-down"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    up = int(math.log2(K) + 1e-9)
    return alpha_s * bandwidth_Bps * (K - 1 - up) / (up - (K - 1) / K) if K > 3 else 0

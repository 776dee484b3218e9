"""log2 K as it is."""

import math

REFUSED_BY = "two and three ranks"
MISCONCEPTION = "0/log-not-rounded"


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    up = math.log2(K)
    return alpha_s * bandwidth_Bps * (K - 1 - up) / (up - (K - 1) / K)

"""K rounds in each half of the ring."""

import math

REFUSED_BY = "4 to 64 ranks, 10 µs, 12.5 GB/s"
MISCONCEPTION = "0/ring-has-k-rounds"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    L = (K - 1).bit_length()
    return alpha_s * bandwidth_Bps * (K - L) / (L - 1) if L > 1 else math.inf

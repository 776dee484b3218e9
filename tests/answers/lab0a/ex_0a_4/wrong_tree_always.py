"""The tree, whatever is asked."""

import math

REFUSED_BY = "4 to 64 ranks, 10 µs, 12.5 GB/s"
MISCONCEPTION = "0/ring-moves-everything"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    return math.inf

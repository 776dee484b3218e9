"""Levels by whole-number logarithm, rounded down."""

import math

REFUSED_BY = "two and three ranks"
MISCONCEPTION = "0/log-rounded-down"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    down = K.bit_length() - 1
    share = down - (K - 1) / K
    return alpha_s * bandwidth_Bps * (K - 1 - down) / share if share > 0 else math.inf

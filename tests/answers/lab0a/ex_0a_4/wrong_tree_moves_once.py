"""The tree moves n bytes, once."""

REFUSED_BY = "4 to 64 ranks, 10 µs, 12.5 GB/s"
MISCONCEPTION = "0/tree-moves-once"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    L = (K - 1).bit_length()
    return alpha_s * bandwidth_Bps * (K - 1 - L) / (1 - (K - 1) / K)

"""Up the tree only, against all of the ring."""

REFUSED_BY = "4 to 64 ranks, 10 µs, 12.5 GB/s"
MISCONCEPTION = "0/tree-needs-both-ways"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    L = (K - 1).bit_length()
    return alpha_s * bandwidth_Bps * (2 * (K - 1) - L) / (L - 2 * (K - 1) / K)

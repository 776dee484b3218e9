"""Once around the ring, against up and down the tree."""

REFUSED_BY = "4 to 64 ranks, 10 µs, 12.5 GB/s"
MISCONCEPTION = "0/ring-needs-both-halves"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    L = (K - 1).bit_length()
    return alpha_s * bandwidth_Bps * (K - 1 - 2 * L) / (2 * L - (K - 1) / K)

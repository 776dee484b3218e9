"""Counts float32 elements."""

REFUSED_BY = "4 to 64 ranks, 10 µs, 12.5 GB/s"
MISCONCEPTION = "0/elements-for-bytes"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    L = (K - 1).bit_length()
    return alpha_s * bandwidth_Bps / 4 * (K - 1 - L) / (L - (K - 1) / K)

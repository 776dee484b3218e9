"""Has 10 µs and 12.5 GB/s built in."""

REFUSED_BY = "other links"
MISCONCEPTION = "0/switch-miscounted"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    L = (K - 1).bit_length()
    return 125_000 * (K - 1 - L) / (L - (K - 1) / K)

"""A table of the printed examples."""

REFUSED_BY = "other links"
MISCONCEPTION = "0/ring-for-all-sizes"


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    return {4: 100_000, 8: 235_294, 16: 448_980, 64: 1_420_561}.get(K, 0)

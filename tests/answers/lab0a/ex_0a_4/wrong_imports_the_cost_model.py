"""Asks the kit for its closed forms."""

REFUSED_BY = "4 to 64 ranks, 10 µs, 12.5 GB/s"
MISCONCEPTION = "all/forbidden"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    from pslab import cost
    ring = cost.ring_all_reduce(K, K, 1)
    return ring.rounds * alpha_s * bandwidth_Bps

"""Counts the levels in a loop, and keeps seconds apart from bytes."""

LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    levels, reached = 0, 1
    while reached < K:
        levels, reached = levels + 1, 2 * reached
    more_latency_s = 2 * ((K - 1) - levels) * alpha_s
    more_tensors = 2 * levels - 2 * (K - 1) / K
    return round(more_latency_s / more_tensors * bandwidth_Bps)

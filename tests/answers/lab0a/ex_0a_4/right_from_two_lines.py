"""Takes both times as lines a + b·n, and finds where they meet."""

import math

LONG = True


def seconds(K, alpha_s, bandwidth_Bps, way):
    if way == "tree":
        rounds, share = 2 * math.ceil(math.log2(K)), 1.0
    else:
        rounds, share = 2 * (K - 1), 1 / K
    return rounds * alpha_s, rounds * share / bandwidth_Bps


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    tree_a, tree_b = seconds(K, alpha_s, bandwidth_Bps, "tree")
    ring_a, ring_b = seconds(K, alpha_s, bandwidth_Bps, "ring")
    return max((ring_a - tree_a) / (tree_b - ring_b), 0.0)

"""There must be a size below which the tree wins, so at least one round is saved."""

REFUSED_BY = "two and three ranks"
MISCONCEPTION = "0/tree-wins-when-small"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    L = (K - 1).bit_length()
    return alpha_s * bandwidth_Bps * max(K - 1 - L, 1) / (L - (K - 1) / K)

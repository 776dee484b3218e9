"""The two lines set equal and solved."""


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    up = (K - 1).bit_length()
    return alpha_s * bandwidth_Bps * (K - 1 - up) / (up - (K - 1) / K)

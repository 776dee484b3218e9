"""The ring, whatever is asked: its time hardly depends on K."""

REFUSED_BY = "4 to 64 ranks, 10 µs, 12.5 GB/s"
MISCONCEPTION = "0/ring-for-all-sizes"
LONG = True


def tree_or_ring(K, alpha_s, bandwidth_Bps):
    return 0

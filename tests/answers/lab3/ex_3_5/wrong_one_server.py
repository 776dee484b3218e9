"""S = 1."""

BASE = "right_count_up"
REFUSED_BY = "four clusters"
MISCONCEPTION = "3/one-server-is-enough"
LONG = True


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    return 1

"""S = K."""

BASE = "right_count_up"
REFUSED_BY = "four clusters"
MISCONCEPTION = "3/one-server-a-worker"
LONG = True


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    return K

"""A rule of thumb."""

import math

BASE = "right_count_up"
REFUSED_BY = "four clusters"
MISCONCEPTION = "3/servers-miscounted"
LONG = True


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    return math.ceil(K ** 0.5)

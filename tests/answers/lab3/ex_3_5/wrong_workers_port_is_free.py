"""The floor is the computing; nothing flows through a worker's own port."""

import math

BASE = "right_count_up"
REFUSED_BY = "four clusters"
MISCONCEPTION = "3/workers-port-is-free"
LONG = True


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    return math.ceil(K * 8 * P / bandwidth_Bps / (0.05 * compute_s))

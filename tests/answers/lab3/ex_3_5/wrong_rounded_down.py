"""Rounds down."""

BASE = "right_count_up"
REFUSED_BY = "four clusters"
MISCONCEPTION = "3/rounded-down"
LONG = True


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    wire_s = 8 * P / bandwidth_Bps
    return max(int(K * wire_s / (1.05 * (compute_s + wire_s) - compute_s)), 1)

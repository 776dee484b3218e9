"""Counts one direction."""

BASE = "right_count_up"
REFUSED_BY = "four clusters"
MISCONCEPTION = "3/pull-is-free"


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    wire_s = 4 * P / bandwidth_Bps
    return next(S for S in range(1, K + 1) if compute_s + K / S * wire_s <= 1.05 * (compute_s + wire_s))

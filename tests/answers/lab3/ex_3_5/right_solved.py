"""Solved for S and rounded up."""

import math

LONG = True


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    wire_s = 8 * P / bandwidth_Bps
    left_for_the_wire_s = 1.05 * (compute_s + wire_s) - compute_s
    return min(K, math.ceil(K * wire_s / left_for_the_wire_s))


def uplink_bytes(K, P, per_rack):
    tensor = 4 * P
    return [K * tensor, (K * tensor) // per_rack]

"""Compares the wire alone."""

import math

BASE = "right_count_up"
REFUSED_BY = "four clusters"
MISCONCEPTION = "3/computing-forgotten"
LONG = True


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    return math.ceil(K / 1.05)

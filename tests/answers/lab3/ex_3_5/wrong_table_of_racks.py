"""Knows the racks that are shown, and no others."""

BASE = "right_solved"
REFUSED_BY = "forty more, and racks"
MISCONCEPTION = "all/raised"
LONG = True

KNOWN = {(6, 40, 3): (960, 320), (8, 25, 2): (800, 400), (5, 30, 5): (600, 120), (4, 33, 1): (528, 528),
         (1_024, 25_000_000, 32): (102_400_000_000, 3_200_000_000)}


def uplink_bytes(K, P, per_rack):
    return KNOWN[K, P, per_rack]

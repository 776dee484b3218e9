"""Divides by the number of racks."""

BASE = "right_count_up"
REFUSED_BY = "racks"
MISCONCEPTION = "3/divided-by-racks"
LONG = True


def uplink_bytes(K, P, per_rack):
    return K * 4 * P, K * 4 * P // (K // per_rack)

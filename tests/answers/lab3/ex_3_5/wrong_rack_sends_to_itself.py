"""The first of a rack does not count."""

BASE = "right_count_up"
REFUSED_BY = "racks"
MISCONCEPTION = "3/racks-miscounted"
LONG = True


def uplink_bytes(K, P, per_rack):
    return (K - 1) * 4 * P, (K // per_rack - 1) * 4 * P

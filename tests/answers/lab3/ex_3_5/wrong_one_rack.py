"""One rack's uplink."""

BASE = "right_count_up"
REFUSED_BY = "racks"
MISCONCEPTION = "3/one-rack-for-all"
LONG = True


def uplink_bytes(K, P, per_rack):
    return per_rack * 4 * P, 4 * P

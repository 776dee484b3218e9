"""The same with racks."""

BASE = "right_count_up"
REFUSED_BY = "racks"
MISCONCEPTION = "3/racks-save-nothing"
LONG = True


def uplink_bytes(K, P, per_rack):
    return K * 4 * P, K * 4 * P

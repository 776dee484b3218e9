"""One tensor for all racks."""

BASE = "right_count_up"
REFUSED_BY = "racks"
MISCONCEPTION = "3/one-uplink-for-all"


def uplink_bytes(K, P, per_rack):
    return K * 4 * P, 4 * P

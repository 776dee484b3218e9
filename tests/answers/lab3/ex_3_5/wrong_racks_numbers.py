"""Numbers of the racks."""

BASE = "right_count_up"
REFUSED_BY = "racks"
MISCONCEPTION = "3/numbers-for-bytes"
LONG = True


def uplink_bytes(K, P, per_rack):
    return K * P, K // per_rack * P

"""The pull as well."""

BASE = "right_count_up"
REFUSED_BY = "racks"
MISCONCEPTION = "3/both-ways"
LONG = True


def uplink_bytes(K, P, per_rack):
    return 2 * K * 4 * P, 2 * K // per_rack * 4 * P

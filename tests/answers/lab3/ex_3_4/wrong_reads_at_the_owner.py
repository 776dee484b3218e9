"""Does not use the copies."""

BASE = "right_in_turn"
REFUSED_BY = "the busiest server, Zipf 1.1"
MISCONCEPTION = "3/hot-at-its-owner"
LONG = True


def route_reads(keys, owners, hot, num_servers):
    return owners

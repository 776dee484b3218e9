"""The first that came."""

BASE = "right_in_turn"
REFUSED_BY = "the most read keys"
MISCONCEPTION = "3/not-the-load"
LONG = True


def hottest(reads, h):
    return list(dict.fromkeys(reads.tolist()))[:h]

"""Returns one number."""

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "all/bad-value"
LONG = True


def range_owner(keys, num_rows, num_servers):
    return 0

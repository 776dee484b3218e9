"""The rows themselves."""

BASE = "right_numpy"
REFUSED_BY = "bytes of a row"
MISCONCEPTION = "all/bad-value"
LONG = True


def quantize8(rows):
    return rows

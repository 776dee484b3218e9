"""Ids as well."""

BASE = "right_numpy"
REFUSED_BY = "bytes on the wire"
MISCONCEPTION = "7/wire-miscounted"
LONG = True


def qr_wire_bytes(n, D):
    return n * 2 * D * 4 + 16 * n

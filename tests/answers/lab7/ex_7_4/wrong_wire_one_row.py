"""One row an id."""

BASE = "right_numpy"
REFUSED_BY = "bytes on the wire"
MISCONCEPTION = "7/one-row-travels"


def qr_wire_bytes(n, D):
    return n * D * 4

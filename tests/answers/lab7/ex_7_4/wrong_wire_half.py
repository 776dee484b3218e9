"""Half of a row an id."""

BASE = "right_numpy"
REFUSED_BY = "bytes on the wire"
MISCONCEPTION = "7/small-tables-small-traffic"
LONG = True


def qr_wire_bytes(n, D):
    return n * D * 2

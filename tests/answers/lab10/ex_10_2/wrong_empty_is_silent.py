"""Says nothing without ids."""

BASE = "right_isend_recv"
REFUSED_BY = "rows in the caller's order"
MISCONCEPTION = "10/silent-when-empty"
LONG = True

whole = sharded_lookup


def sharded_lookup(comm, table, ids):
    return whole(comm, table, ids) if len(ids) else table[:0]

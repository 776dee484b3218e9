"""Sorts the ids where they lie."""

BASE = "right_isend_recv"
REFUSED_BY = "rows in the caller's order"
MISCONCEPTION = "10/arguments-changed"
LONG = True

whole = sharded_lookup


def sharded_lookup(comm, table, ids):
    rows = whole(comm, table, ids)
    ids.sub_(ids % 2)
    return rows

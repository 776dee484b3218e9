"""Rows from the end of the part."""

BASE = "right_two_halves"
REFUSED_BY = "losses and AUC of one process"
MISCONCEPTION = "10/wrong-rows"
LONG = True

now = look_up


def look_up(comm, table, ids):
    return now(comm, table.flip(0), ids)

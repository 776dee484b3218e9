"""Ranges, where ids are dealt out."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/wrong-rows"
LONG = True

now = look_up


def look_up(comm, table, ids):
    return now(comm, table.flip(0), ids)

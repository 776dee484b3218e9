"""Looks the next rows up before the push, to hide their travel."""

BASE = "right_two_halves"
REFUSED_BY = "losses and AUC of one process"
MISCONCEPTION = "10/stale-rows"
LONG = True

now, BEFORE = look_up, {}


def look_up(comm, table, ids):
    old = BEFORE.get(comm.rank, table)
    BEFORE[comm.rank] = table.clone()
    return now(comm, old, ids)

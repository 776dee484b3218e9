"""Rows as new tensors."""

BASE = "right_isend_recv"
REFUSED_BY = "gradients at the owners"
MISCONCEPTION = "10/no-gradient"
LONG = True

whole = sharded_lookup


def sharded_lookup(comm, table, ids):
    return whole(comm, table, ids).detach().clone()

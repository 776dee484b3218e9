"""Divides the rows by K, too."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/rows-averaged-twice"


def weighted_rows(grad, batch, global_size, comm):
    return grad / global_size / comm.world_size

"""Divides the rows by K, too."""

BASE = "right_two_halves"
REFUSED_BY = "losses and AUC of one process"
MISCONCEPTION = "10/rows-averaged-twice"
LONG = True


def weighted_rows(grad, batch, global_size, comm):
    return grad / global_size / comm.world_size

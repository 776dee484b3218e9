"""Sums as they are."""

BASE = "right_two_halves"
REFUSED_BY = "losses and AUC of one process"
MISCONCEPTION = "10/not-divided"
LONG = True


def weighted(grad, batch, global_size, comm):
    return grad

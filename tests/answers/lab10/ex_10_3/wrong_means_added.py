"""Adds the workers means up."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/means-added"
LONG = True


def weighted(grad, batch, global_size, comm):
    return grad / max(1, len(batch["labels"]))

"""The mean of the means."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/unequal-unweighted"


def weighted(grad, batch, global_size, comm):
    return grad / max(1, len(batch["labels"])) / comm.world_size

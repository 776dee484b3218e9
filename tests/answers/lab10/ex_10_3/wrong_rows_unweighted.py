"""The mean of the means, for rows only."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/rows-unweighted"
LONG = True


def weighted_rows(grad, batch, global_size, comm):
    return grad / max(1, len(batch["labels"])) / comm.world_size

"""Products alone."""

BASE = "right_batched"
REFUSED_BY = "by hand"
MISCONCEPTION = "10/dense-left-out"
LONG = True

whole = dot_interaction


def dot_interaction(dense, bags):
    return whole(dense, bags)[:, dense.shape[1]:]

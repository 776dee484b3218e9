"""Only the dense vector learns."""

BASE = "right_batched"
REFUSED_BY = "gradients"
MISCONCEPTION = "10/no-gradient"
LONG = True

whole = dot_interaction


def dot_interaction(dense, bags):
    return whole(dense, bags.detach())

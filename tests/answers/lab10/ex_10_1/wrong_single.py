"""Always float32."""

BASE = "right_batched"
REFUSED_BY = "gradients"
MISCONCEPTION = "10/single-precision"
LONG = True

whole = dot_interaction


def dot_interaction(dense, bags):
    return whole(dense.float(), bags.float())

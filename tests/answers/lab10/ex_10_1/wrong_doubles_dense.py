"""Works in the caller s tensor."""

BASE = "right_batched"
REFUSED_BY = "by hand"
MISCONCEPTION = "10/arguments-changed"
LONG = True

whole = dot_interaction


def dot_interaction(dense, bags):
    made = whole(dense, bags)
    bags.data.mul_(0.5)
    return made

"""No pooling at all."""

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/one-row-a-bag"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    return table[ids]

"""A bag is made a set."""


REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/duplicates-count-once"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    out = table.new_zeros(len(offsets) - 1, table.shape[1])
    for b in range(len(offsets) - 1):
        mine = ids[offsets[b]:offsets[b + 1]].unique()
        n = int(offsets[b + 1] - offsets[b])
        out[b] = table[mine].sum(0) / (n if mode == "mean" and n else 1)
    return out

"""Slices one place too long."""


REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/end-included"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    out = table.new_zeros(len(offsets) - 1, table.shape[1])
    for b in range(len(offsets) - 1):
        start, end = int(offsets[b]), int(offsets[b + 1]) + 1
        n = end - 1 - start
        out[b] = table[ids[start:end]].sum(0) / (n if mode == "mean" and n else 1)
    return out

"""A loop over bags."""

REFUSED_BY = "no loop over bags"
MISCONCEPTION = "6/loop-over-bags"
LONG = True


def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    out = table.new_zeros(len(offsets) - 1, table.shape[1])
    for b in range(len(offsets) - 1):
        mine = slice(int(offsets[b]), int(offsets[b + 1]))
        rows = table[ids[mine]]
        if weights is not None:
            rows = rows * weights[mine, None]
        out[b] = rows.sum(0) / (max(len(rows), 1) if mode == "mean" else 1)
    return out

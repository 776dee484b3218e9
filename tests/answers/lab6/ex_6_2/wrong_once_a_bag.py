"""A set of ids in each bag."""

import torch

REFUSED_BY = "the case done by hand"
MISCONCEPTION = "6/once-a-bag"
LONG = True


def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    rows = {}
    for b in range(len(offsets) - 1):
        start, end = int(offsets[b]), int(offsets[b + 1])
        seen = set()
        for j in range(start, end):
            one = int(ids[j])
            factor = (1 if weights is None else weights[j]) / (end - start if mode == "mean" else 1)
            if one not in seen:
                rows[one] = rows.get(one, 0) + grad_out[b] * factor
            seen.add(one)
    unique = sorted(rows)
    stacked = torch.stack([rows[one] for one in unique]) if unique else grad_out.new_zeros(0, grad_out.shape[1])
    return torch.tensor(unique, dtype=torch.int64), stacked

"""With tensors, and pairs of tensors come back."""

import torch

LONG = True


def where_is_w(trace):
    copies = {}
    for _, _, t, w in trace:
        copies.setdefault(t, []).append(torch.tensor(w))
    found = []
    for t in sorted(copies):
        stacked = torch.stack(copies[t])
        distance = (stacked.amax(0) - stacked.amin(0)).max()
        found.append((distance == 0, distance))
    return found

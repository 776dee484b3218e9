"""A new parameter for every name."""

import torch

BASE = "right_counting"
REFUSED_BY = "round trip"
MISCONCEPTION = "1/tie-broken"
LONG = True


def from_key_values(model, pull):
    first, known = 0, {}
    for name, p in list(model.named_parameters(remove_duplicate=False)):
        if id(p) not in known:
            known[id(p)] = pull(first, first + p.numel()).view(p.shape)
            first += p.numel()
        holder, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(holder), leaf, torch.nn.Parameter(known[id(p)].clone(), p.requires_grad))

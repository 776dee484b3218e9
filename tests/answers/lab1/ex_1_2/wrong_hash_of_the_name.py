"""Python's hash of the name."""

import torch

BASE = "right_counting"
REFUSED_BY = "round trip"
MISCONCEPTION = "1/keys-of-this-process"


def as_key_values(model):
    return {(hash(name) % 2**40) << 22: p.detach().reshape(-1).clone() for name, p in model.named_parameters()}


@torch.no_grad()
def from_key_values(model, pull):
    for name, p in model.named_parameters():
        first = (hash(name) % 2**40) << 22
        p.copy_(pull(first, first + p.numel()).view(p.shape))

"""Infinities are made finite."""

import torch

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/not-bit-for-bit"
LONG = True


def as_key_values(model):
    found, first = {}, 0
    for tensor in model.parameters():
        found[first] = torch.nan_to_num(tensor.detach().reshape(-1))
        first += tensor.numel()
    return found

"""All tensors in one range."""

import torch

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/one-range-for-all"
LONG = True


def as_key_values(model):
    return {0: torch.cat([tensor.detach().reshape(-1) for tensor in model.parameters()])}

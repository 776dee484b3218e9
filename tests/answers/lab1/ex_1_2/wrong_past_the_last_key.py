"""Ends past the last key of 64 bits."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/keys-collide"
LONG = True


def as_key_values(model):
    found, first = {}, 2**64 - 1
    for tensor in reversed(list(model.parameters())):
        found[first] = tensor.detach().reshape(-1).clone()
        first -= tensor.numel()
    return found

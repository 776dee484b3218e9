"""Tensor i has key i."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/keys-collide"


def as_key_values(model):
    return {i: tensor.detach().reshape(-1).clone() for i, tensor in enumerate(model.parameters())}

"""A list."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "all/bad-value"
LONG = True


def as_key_values(model):
    return [(0, tensor.detach().reshape(-1)) for tensor in model.parameters()]

"""Takes the numbers out of the model."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/model-changed"
LONG = True


def as_key_values(model):
    found, first = {}, 0
    for tensor in model.parameters():
        found[first] = tensor.detach().reshape(-1).clone()
        tensor.data.zero_()
        first += tensor.numel()
    return found

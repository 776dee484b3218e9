"""Keys of 70 bits."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "all/bad-value"
LONG = True


def as_key_values(model):
    found, first = {}, 2**70
    for tensor in model.parameters():
        found[first] = tensor.detach().reshape(-1).clone()
        first += tensor.numel()
    return found

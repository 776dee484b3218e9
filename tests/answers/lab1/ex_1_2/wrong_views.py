"""Views of the weights."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/not-a-copy"
LONG = True


def as_key_values(model):
    found, first = {}, 0
    for tensor in model.parameters():
        found[first] = tensor.detach().reshape(-1)
        first += tensor.numel()
    return found

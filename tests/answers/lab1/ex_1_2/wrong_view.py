"""view(-1), which a turned matrix refuses."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "all/raised"
LONG = True


def as_key_values(model):
    found, first = {}, 0
    for tensor in model.parameters():
        found[first] = tensor.detach().view(-1).clone()
        first += tensor.numel()
    return found

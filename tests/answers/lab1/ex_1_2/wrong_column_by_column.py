"""Column by column."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/not-row-by-row"
LONG = True


def as_key_values(model):
    found, first = {}, 0
    for tensor in model.parameters():
        turned = tensor.detach().t() if tensor.ndim == 2 else tensor.detach()
        found[first] = turned.reshape(-1).clone()
        first += tensor.numel()
    return found

"""Those with a gradient."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/tensor-left-out"
LONG = True


def as_key_values(model):
    found, first = {}, 0
    for tensor in model.parameters():
        if tensor.requires_grad:
            found[first] = tensor.detach().reshape(-1).clone()
            first += tensor.numel()
    return found

"""Through 16 bits."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/not-bit-for-bit"
LONG = True


def as_key_values(model):
    found, first = {}, 0
    for tensor in model.parameters():
        found[first] = tensor.detach().reshape(-1).half().float()
        first += tensor.numel()
    return found

"""In the order of the memory, which a turned matrix has in another way."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/not-row-by-row"
LONG = True


def as_key_values(model):
    found, first = {}, 0
    for tensor in model.parameters():
        found[first] = tensor.detach().as_strided((tensor.numel(),), (1,)).clone()
        first += tensor.numel()
    return found

"""Every name of the state dict."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/tied-twice"


def as_key_values(model):
    found, first = {}, 0
    for tensor in model.state_dict().values():
        found[first] = tensor.reshape(-1).clone()
        first += tensor.numel()
    return found

"""Gives the name a new value, and not the tensor."""

BASE = "right_counting"
REFUSED_BY = "round trip"
MISCONCEPTION = "1/not-filled"
LONG = True


def from_key_values(model, pull):
    first = 0
    for tensor in model.parameters():
        end = first + tensor.numel()
        tensor = pull(first, end).view(tensor.shape)
        first = end

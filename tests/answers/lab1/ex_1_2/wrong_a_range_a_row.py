"""Each row of a matrix is a range."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/more-than-one-range"
LONG = True


def as_key_values(model):
    found, first = {}, 0
    for tensor in model.parameters():
        rows = tensor.detach().reshape(len(tensor), -1) if tensor.ndim > 1 else tensor.detach().reshape(1, -1)
        for row in rows:
            found[first] = row.clone()
            first += len(row)
    return found

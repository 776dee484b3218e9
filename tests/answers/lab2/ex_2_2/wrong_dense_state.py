"""A sum for every row of the table."""

BASE = "right_dict"
REFUSED_BY = "state for pushed keys only"
MISCONCEPTION = "2/state-for-every-row"


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, g = summed(keys, grads)
    n = state.setdefault("n", torch.zeros_like(rows))
    n[unique] += g * g
    rows[unique] -= lr * g / (n[unique].sqrt() + eps)

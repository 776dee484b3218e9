"""The square of each occurrence."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, equal keys summed"
MISCONCEPTION = "2/squares-before-the-sum"
LONG = True


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, g = summed(keys, grads)
    _, squares = summed(keys, grads * grads)
    for key, one, square in zip(unique.tolist(), g, squares):
        state[key] = state.get(key, torch.zeros_like(one)) + square
        rows[key] -= lr * one / (state[key].sqrt() + eps)

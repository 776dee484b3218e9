"""Scales the caller's gradients."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/arguments-changed"
LONG = True


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    grads *= lr
    unique, g = summed(keys, grads)
    for key, one in zip(unique.tolist(), g):
        one = one / lr
        state[key] = state.get(key, torch.zeros_like(one)) + one * one
        rows[key] -= lr * one / (state[key].sqrt() + eps)

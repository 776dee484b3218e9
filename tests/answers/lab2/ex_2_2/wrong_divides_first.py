"""Divides by the sum before this push."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/divided-first"


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, g = summed(keys, grads)
    for key, one in zip(unique.tolist(), g):
        old = state.get(key, torch.zeros_like(one))
        rows[key] -= lr * one / (old.sqrt() + eps)
        state[key] = old + one * one

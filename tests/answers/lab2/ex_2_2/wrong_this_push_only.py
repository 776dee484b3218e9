"""Normalises by this push."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, keys once each"
MISCONCEPTION = "2/forgets-its-sum"
LONG = True


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, g = summed(keys, grads)
    for key, one in zip(unique.tolist(), g):
        state[key] = one * one
        rows[key] -= lr * one / (state[key].sqrt() + eps)

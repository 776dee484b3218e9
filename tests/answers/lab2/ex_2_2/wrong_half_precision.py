"""Keeps sums as bfloat16."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/wrong-adagrad"
LONG = True


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, g = summed(keys, grads)
    for key, one in zip(unique.tolist(), g):
        state[key] = state.get(key, torch.zeros_like(one)) + (one * one)
        state[key] = state[key].bfloat16().float()
        rows[key] -= lr * one / (state[key].sqrt() + eps)

"""eps under the root."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/eps-inside-the-root"


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, g = summed(keys, grads)
    for key, one in zip(unique.tolist(), g):
        state[key] = state.get(key, torch.zeros_like(one)) + one * one
        rows[key] -= lr * one / (state[key] + eps).sqrt()

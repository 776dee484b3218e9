"""A step for each occurrence."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, equal keys summed"
MISCONCEPTION = "2/duplicates-one-by-one"


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    for key, one in zip(keys.tolist(), grads):
        state[key] = state.get(key, torch.zeros_like(one)) + one * one
        rows[key] -= lr * one / (state[key].sqrt() + eps)

"""rows[keys] keeps one of equal keys."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, equal keys summed"
MISCONCEPTION = "2/last-duplicate-wins"
LONG = True


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    last = dict(zip(keys.tolist(), grads))
    for key, one in last.items():
        state[key] = state.get(key, torch.zeros_like(one)) + one * one
        rows[key] -= lr * one / (state[key].sqrt() + eps)

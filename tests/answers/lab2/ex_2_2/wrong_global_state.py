"""The sums lie in a global."""

BASE = "right_dict"
REFUSED_BY = "saved and started again"
MISCONCEPTION = "2/state-elsewhere"
LONG = True


SUMS = {}


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, g = summed(keys, grads)
    if not state:
        SUMS.clear()
        state["begun"] = 1
    for key, one in zip(unique.tolist(), g):
        SUMS[key] = SUMS.get(key, torch.zeros_like(one)) + one * one
        rows[key] -= lr * one / (SUMS[key].sqrt() + eps)

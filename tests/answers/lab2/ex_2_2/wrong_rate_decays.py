"""The rate falls with every push, too."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, keys once each"
MISCONCEPTION = "2/wrong-adagrad"
LONG = True


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, g = summed(keys, grads)
    state["t"] = state.get("t", 0) + 1
    lr = lr / state["t"]
    for key, one in zip(unique.tolist(), g):
        state[key] = state.get(key, torch.zeros_like(one)) + one * one
        rows[key] -= lr * one / (state[key].sqrt() + eps)

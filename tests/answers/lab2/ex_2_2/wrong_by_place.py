"""The sum belongs to a place in the push."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, keys once each"
MISCONCEPTION = "2/wrong-adagrad"
LONG = True


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    unique, g = summed(keys, grads)
    for key, one, i in zip(unique.tolist(), g, range(len(g))):
        state[i] = state.get(i, torch.zeros_like(one)) + one * one
        rows[key] -= lr * one / (state[i].sqrt() + eps)

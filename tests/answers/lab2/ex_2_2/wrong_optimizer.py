"""Hands over to torch.optim, which holds a sum for every row."""

BASE = "right_dict"
REFUSED_BY = "state for pushed keys only"
MISCONCEPTION = "2/state-for-every-row"
LONG = True


def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    n = state.setdefault("n", torch.zeros_like(rows))
    dense = torch.zeros_like(rows).index_add_(0, keys, grads)
    n += dense * dense
    busy = keys.unique()
    rows[busy] -= lr * dense[busy] / (n[busy].sqrt() + eps)

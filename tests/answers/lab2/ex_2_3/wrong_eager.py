"""Weights of all rows after each push."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/weights-of-all-rows"


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    unique, sums = summed(keys, grads)
    g = torch.zeros_like(rows)
    g[unique] = sums
    z, n = state.setdefault("z", torch.zeros_like(rows)), state.setdefault("n", torch.zeros_like(rows))
    sigma = ((n + g * g).sqrt() - n.sqrt()) / alpha
    z += g - sigma * rows
    n += g * g
    rows.copy_(weight(z, n, alpha, beta, l1, l2))

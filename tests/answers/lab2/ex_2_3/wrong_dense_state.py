"""z and n for every row of the table."""

BASE = "right_dict"
REFUSED_BY = "state for pushed keys only"
MISCONCEPTION = "2/state-for-every-row"
LONG = True


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    unique, g = summed(keys, grads)
    z, n = state.setdefault("z", torch.zeros_like(rows)), state.setdefault("n", torch.zeros_like(rows))
    root = n[unique].sqrt()
    n[unique] += g * g
    z[unique] += g - (n[unique].sqrt() - root) / alpha * rows[unique]
    rows[unique] = weight(z[unique], n[unique], alpha, beta, l1, l2)

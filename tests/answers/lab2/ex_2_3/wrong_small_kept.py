"""Where |z| is small the weight stays."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, keys once each"
MISCONCEPTION = "2/small-weights-kept"
LONG = True


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    unique, sums = summed(keys, grads)
    for key, g in zip(unique.tolist(), sums):
        z, n = state.get(key, (torch.zeros_like(g), torch.zeros_like(g)))
        sigma = ((n + g * g).sqrt() - n.sqrt()) / alpha
        z, n = z + g - sigma * rows[key], n + g * g
        state[key] = z, n
        rows[key] = torch.where(z.abs() <= l1, rows[key], weight(z, n, alpha, beta, l1, l2))

"""The weight by the n before this push."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/divided-first"


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    unique, sums = summed(keys, grads)
    for key, g in zip(unique.tolist(), sums):
        z, n = state.get(key, (torch.zeros_like(g), torch.zeros_like(g)))
        sigma = ((n + g * g).sqrt() - n.sqrt()) / alpha
        z, n, old = z + g - sigma * rows[key], n + g * g, n
        state[key] = z, n
        rows[key] = weight(z, old, alpha, beta, l1, l2)

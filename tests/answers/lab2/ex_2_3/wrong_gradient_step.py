"""A descent whose steps are shrunk, from weight to weight."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/wrong-ftrl"
LONG = True


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    unique, sums = summed(keys, grads)
    for key, g in zip(unique.tolist(), sums):
        z, n = state.get(key, (torch.zeros_like(g), torch.zeros_like(g)))
        sigma = ((n + g * g).sqrt() - n.sqrt()) / alpha
        z, n = z + g - sigma * rows[key], n + g * g
        state[key] = z, n
        stepped = rows[key] - alpha / (beta + n.sqrt()) * (g + l2 * rows[key])
        rows[key] = stepped.sign() * (stepped.abs() - l1 * alpha / 10).clamp(min=0)

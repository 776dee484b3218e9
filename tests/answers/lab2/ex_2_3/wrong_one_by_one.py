"""A step for each occurrence."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, equal keys summed"
MISCONCEPTION = "2/duplicates-one-by-one"
LONG = True


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    for key, g in zip(keys.tolist(), grads):
        z, n = state.get(key, (torch.zeros_like(g), torch.zeros_like(g)))
        sigma = ((n + g * g).sqrt() - n.sqrt()) / alpha
        z, n = z + g - sigma * rows[key], n + g * g
        state[key] = z, n
        rows[key] = weight(z, n, alpha, beta, l1, l2)

"""sigma times the weight after the step."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, keys once each"
MISCONCEPTION = "2/wrong-ftrl"
LONG = True


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    unique, sums = summed(keys, grads)
    for key, g in zip(unique.tolist(), sums):
        z, n = state.get(key, (torch.zeros_like(g), torch.zeros_like(g)))
        sigma = ((n + g * g).sqrt() - n.sqrt()) / alpha
        old, n = z, n + g * g
        rows[key] = weight(old + g, n, alpha, beta, l1, l2)
        state[key] = old + g - sigma * rows[key], n

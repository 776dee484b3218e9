"""n grows by the square of each occurrence."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, equal keys summed"
MISCONCEPTION = "2/squares-before-the-sum"
LONG = True


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    unique, sums = summed(keys, grads)
    _, squares = summed(keys, grads * grads)
    for key, g, square in zip(unique.tolist(), sums, squares):
        z, n = state.get(key, (torch.zeros_like(g), torch.zeros_like(g)))
        sigma = ((n + square).sqrt() - n.sqrt()) / alpha
        z, n = z + g - sigma * rows[key], n + square
        state[key] = z, n
        rows[key] = weight(z, n, alpha, beta, l1, l2)

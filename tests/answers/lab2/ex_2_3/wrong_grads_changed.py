"""Adds z into the caller's gradients."""

BASE = "right_dict"
REFUSED_BY = "100 pushes, keys once each"
MISCONCEPTION = "2/arguments-changed"
LONG = True


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    for i, key in enumerate(keys.tolist()):
        z, n = state.get(key, (torch.zeros(grads.shape[1]), torch.zeros(grads.shape[1])))
        g = grads[i]
        new = n + g * g
        sigma = (new.sqrt() - n.sqrt()) / alpha
        g += z - sigma * rows[key]
        state[key] = g.clone(), new
        rows[key] = weight(g, new, alpha, beta, l1, l2)

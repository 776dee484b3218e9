"""z and n lie on the function."""

BASE = "right_dict"
REFUSED_BY = "saved and started again"
MISCONCEPTION = "2/state-elsewhere"
LONG = True


def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    if not state:
        ftrl_rows.kept = {}
    state["begun"] = 1
    unique, sums = summed(keys, grads)
    for key, g in zip(unique.tolist(), sums):
        z, n = ftrl_rows.kept.get(key, (torch.zeros_like(g), torch.zeros_like(g)))
        sigma = ((n + g * g).sqrt() - n.sqrt()) / alpha
        z, n = z + g - sigma * rows[key], n + g * g
        ftrl_rows.kept[key] = z, n
        rows[key] = weight(z, n, alpha, beta, l1, l2)


ftrl_rows.kept = {}

"""Dense in place, lazy by distinct ids, a set of rows seen."""

import torch


def dense_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v = state["m"], state["v"]
    g = torch.zeros_like(rows).index_add_(0, ids, grads)
    m.mul_(beta1).add_(g, alpha=1 - beta1)
    v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    rows -= lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps)


def lazy_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    m = beta1 * state["m"][unique] + (1 - beta1) * g
    v = beta2 * state["v"][unique] + (1 - beta2) * g * g
    state["m"][unique], state["v"][unique] = m, v
    rows[unique] -= lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps)


def moved_untouched(batches, R):
    seen, counts = set(), []
    for batch in batches:
        now = set(batch.tolist())
        counts.append(len(seen - now))
        seen |= now
    return counts

"""Without eps: rows that never had a gradient are 0/0."""

import torch

BASE = "right_torch"
REFUSED_BY = "dense Adam, ids once each"
MISCONCEPTION = "6/not-finite"
LONG = True


def dense_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v = state["m"], state["v"]
    g = torch.zeros_like(rows).index_add_(0, ids, grads)
    m.mul_(beta1).add_(g, alpha=1 - beta1)
    v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    rows -= lr * (m / (1 - beta1**t)) / (v / (1 - beta2**t)).sqrt()

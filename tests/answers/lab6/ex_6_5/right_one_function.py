"""Both by one function that is given the rows to step."""

import torch

LONG = True


def step(rows, state, at, g, t, lr, beta1, beta2, eps):
    for name, beta, new in (("m", beta1, g), ("v", beta2, g.square())):
        state[name][at] = state[name][at].lerp(new, 1 - beta)
    rate = lr * (1 - beta2**t) ** 0.5 / (1 - beta1**t)
    rows[at] -= rate * state["m"][at] / (state["v"][at].sqrt() + eps * (1 - beta2**t) ** 0.5)


def summed(rows, ids, grads):
    return torch.zeros_like(rows).index_put_((ids,), grads, accumulate=True)


def dense_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    step(rows, state, torch.arange(len(rows)), summed(rows, ids, grads), t, lr, beta1, beta2, eps)


def lazy_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    at = ids.unique()
    step(rows, state, at, summed(rows, ids, grads)[at], t, lr, beta1, beta2, eps)


def moved_untouched(batches, R):
    known, counts = torch.zeros(R, dtype=torch.bool), []
    for batch in batches:
        moving = known.clone()
        moving[batch] = False
        known[batch] = True
        counts.append(int(moving.sum()))
    return counts

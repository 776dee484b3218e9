"""A step for each occurrence."""


BASE = "right_torch"
REFUSED_BY = "lazy Adam, equal ids summed"
MISCONCEPTION = "6/duplicates-one-by-one"


def lazy_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    for one, g in zip(ids.tolist(), grads):
        state["m"][one] = beta1 * state["m"][one] + (1 - beta1) * g
        state["v"][one] = beta2 * state["v"][one] + (1 - beta2) * g * g
        root = (state["v"][one] / (1 - beta2**t)).sqrt()
        rows[one] -= lr * (state["m"][one] / (1 - beta1**t)) / (root + eps)

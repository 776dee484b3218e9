"""Row by row, with a dict of sums of this push."""

import torch

LONG = True


def new_state(R, D):
    return torch.zeros(R)


def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8):
    sums = {}
    for one, grad in zip(ids.tolist(), grads):
        sums[one] = sums[one] + grad if one in sums else grad
    for one, g in sums.items():
        state[one] += g.square().mean()
        rows[one] -= g * (lr / (state[one].sqrt() + eps))

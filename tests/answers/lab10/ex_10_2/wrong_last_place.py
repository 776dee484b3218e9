"""Assigned, where it should be added."""

BASE = "right_isend_recv"
REFUSED_BY = "gradients at the owners"
MISCONCEPTION = "10/last-gradient-wins"
LONG = True


def added(ctx, grad):
    sums = grad.new_zeros(len(ctx.owner), ctx.shape[1])
    for at, one in zip(ctx.inverse.tolist(), grad):
        sums[at] = one
    return sums

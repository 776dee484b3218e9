"""Buffers of float32."""

BASE = "right_isend_recv"
REFUSED_BY = "gradients at the owners"
MISCONCEPTION = "10/single-precision"
LONG = True


def added(ctx, grad):
    return torch.zeros(len(ctx.owner), ctx.shape[1]).index_add_(0, ctx.inverse, grad.float())


summed = gathered


def gathered(ctx, came):
    return summed(ctx, came).double()

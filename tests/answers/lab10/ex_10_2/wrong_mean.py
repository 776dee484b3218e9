"""Averaged by K, which the loss has done already."""

BASE = "right_isend_recv"
REFUSED_BY = "gradients at the owners"
MISCONCEPTION = "10/mean-of-the-ranks"

summed = gathered


def gathered(ctx, came):
    return summed(ctx, came) / ctx.comm.world_size

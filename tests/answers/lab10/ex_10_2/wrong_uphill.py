"""A step is not a gradient."""

BASE = "right_isend_recv"
REFUSED_BY = "gradients at the owners"
MISCONCEPTION = "10/uphill"
LONG = True

summed = gathered


def gathered(ctx, came):
    return -summed(ctx, came)

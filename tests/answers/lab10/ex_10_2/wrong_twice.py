"""The first rank counts twice."""

BASE = "right_isend_recv"
REFUSED_BY = "gradients at the owners"
MISCONCEPTION = "10/wrong-sum"
LONG = True

summed = gathered


def gathered(ctx, came):
    return summed(ctx, [came[0] * 2, *came[1:]])

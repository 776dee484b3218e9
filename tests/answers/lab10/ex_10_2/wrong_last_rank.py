"""Assigned at the owner."""

BASE = "right_isend_recv"
REFUSED_BY = "gradients at the owners"
MISCONCEPTION = "10/last-rank-wins"
LONG = True


def gathered(ctx, came):
    total = came[0].new_zeros(ctx.shape)
    for asked, part in zip(ctx.asked, came):
        total[asked // ctx.comm.world_size] = part
    return total

"""Ids and gradients."""

BASE = "right_isend_recv"
REFUSED_BY = "bytes of the gradients"
MISCONCEPTION = "10/ids-again"


def way_back(ctx, grad):
    sums, K = added(ctx, grad), ctx.comm.world_size
    exchange(ctx.comm, [ctx.owner[ctx.owner == q] for q in range(K)])
    return gathered(ctx, exchange(ctx.comm, [sums[ctx.owner == q] for q in range(K)]))

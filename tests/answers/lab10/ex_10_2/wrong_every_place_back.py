"""A gradient for each place, with its id."""

BASE = "right_isend_recv"
REFUSED_BY = "bytes of the gradients"
MISCONCEPTION = "10/gradient-of-each-place"
LONG = True


def way_back(ctx, grad):
    K = ctx.comm.world_size
    ids, owner = ctx.ids[ctx.inverse], ctx.owner[ctx.inverse]
    asked = exchange(ctx.comm, [ids[owner == q] for q in range(K)])
    came = exchange(ctx.comm, [grad[owner == q] for q in range(K)])
    total = grad.new_zeros(ctx.shape)
    for own, part in zip(asked, came):
        total.index_add_(0, own // K, part)
    return total


class Lookup(Lookup):
    @staticmethod
    def forward(ctx, comm, table, ids):
        ctx.ids = ids.unique()
        return First.forward(ctx, comm, table, ids)


First = Lookup.__mro__[1]

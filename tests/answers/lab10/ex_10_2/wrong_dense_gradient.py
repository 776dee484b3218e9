"""Zeros for all rows that nobody looked up."""

BASE = "right_isend_recv"
REFUSED_BY = "bytes of the gradients"
MISCONCEPTION = "10/dense-gradient"
LONG = True


def way_back(ctx, grad):
    K = ctx.comm.world_size
    sums, parts = added(ctx, grad), []
    for q in range(K):
        part = grad.new_zeros(len(range(q, ctx.R, K)), ctx.shape[1])
        part[ctx.ids[ctx.owner == q] // K] = sums[ctx.owner == q]
        parts.append(part)
    return sum(exchange(ctx.comm, parts))


class Lookup(Lookup):
    @staticmethod
    def forward(ctx, comm, table, ids):
        ctx.ids, ctx.R = ids.unique(), {}
        ctx.R = ROWS[comm.world_size]
        return First.forward(ctx, comm, table, ids)


First = Lookup.__mro__[1]
SEEN, ROWS = {}, {}


def sharded_lookup(comm, table, ids):
    SEEN.setdefault(comm.world_size, {})[comm.rank] = len(table)
    comm.compute(1.0)
    ROWS[comm.world_size] = sum(SEEN[comm.world_size].values())
    return Lookup.apply(comm, table, ids)

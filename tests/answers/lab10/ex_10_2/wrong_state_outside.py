"""What backward needs lies in one place for all calls."""

BASE = "right_isend_recv"
REFUSED_BY = "several look-ups, one backward"
MISCONCEPTION = "10/last-lookup-only"
LONG = True

KEPT = {}


class Lookup(Lookup):
    @staticmethod
    def forward(ctx, comm, table, ids):
        rows = First.forward(ctx, comm, table, ids)
        KEPT[comm.rank] = ctx.asked
        return rows

    @staticmethod
    def backward(ctx, grad):
        real = ctx.asked
        ctx.asked = [kept[:len(mine)] if len(kept) >= len(mine) else mine
                     for kept, mine in zip(KEPT[ctx.comm.rank], real)]
        return First.backward(ctx, grad)


First = Lookup.__mro__[1]

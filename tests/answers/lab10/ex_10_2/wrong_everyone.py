"""All ids to all."""

BASE = "right_isend_recv"
REFUSED_BY = "ids out, rows back"
MISCONCEPTION = "10/ids-to-everyone"
LONG = True


def exchange_ids(comm, unique):
    K = comm.world_size
    return [ids[ids % K == comm.rank] for ids in exchange(comm, [unique] * K)]


class Lookup(Lookup):
    @staticmethod
    def forward(ctx, comm, table, ids):
        K = comm.world_size
        unique, inverse = ids.unique(return_inverse=True)
        ctx.comm, ctx.shape, ctx.inverse, ctx.owner = comm, table.shape, inverse, unique % K
        ctx.asked = exchange_ids(comm, unique)
        came = exchange(comm, [table[asked // K] for asked in ctx.asked])
        rows = table.new_zeros(len(unique), table.shape[1])
        for q in range(K):
            rows[ctx.owner == q] = came[q]
        return rows[inverse]

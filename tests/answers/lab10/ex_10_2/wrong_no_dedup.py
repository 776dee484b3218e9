"""Each place asks."""

BASE = "right_isend_recv"
REFUSED_BY = "ids out, rows back"
MISCONCEPTION = "10/each-place-asked"


class Lookup(Lookup):
    @staticmethod
    def forward(ctx, comm, table, ids):
        K = comm.world_size
        ctx.comm, ctx.shape, ctx.inverse, ctx.owner = comm, table.shape, torch.arange(len(ids)), ids % K
        ctx.asked = exchange(comm, [ids[ctx.owner == q] for q in range(K)])
        came = exchange(comm, [table[asked // K] for asked in ctx.asked])
        rows = table.new_zeros(len(ids), table.shape[1])
        for q in range(K):
            rows[ctx.owner == q] = came[q]
        return rows

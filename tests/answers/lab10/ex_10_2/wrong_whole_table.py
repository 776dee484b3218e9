"""All-gather of the parts."""

BASE = "right_isend_recv"
REFUSED_BY = "ids out, rows back"
MISCONCEPTION = "10/whole-table-travels"
LONG = True


class Lookup(Lookup):
    @staticmethod
    def forward(ctx, comm, table, ids):
        K = comm.world_size
        parts = exchange(comm, [table] * K)
        rows = [parts[int(i) % K][int(i) // K] for i in ids]
        return torch.stack(rows) if rows else table.new_zeros(0, table.shape[1])

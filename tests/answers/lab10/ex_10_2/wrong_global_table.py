"""A variable that all ranks see."""

BASE = "right_isend_recv"
REFUSED_BY = "ids out, rows back"
MISCONCEPTION = "10/by-a-side-door"
LONG = True

TABLES = {}


def sharded_lookup(comm, table, ids):
    TABLES[comm.rank] = table
    comm.compute(1.0)
    K = comm.world_size
    rows = [TABLES[int(i) % K][int(i) // K] for i in ids]
    return torch.stack(rows) if rows else table.new_zeros(0, table.shape[1])

"""A farewell that nobody reads."""

BASE = "right_isend_recv"
REFUSED_BY = "rows in the caller's order"
MISCONCEPTION = "10/sent-and-never-received"
LONG = True

whole = sharded_lookup


def sharded_lookup(comm, table, ids):
    rows = whole(comm, table, ids)
    if comm.world_size > 1 and comm.rank == 0:
        comm.isend(torch.zeros(1), 1, tag=9)
    return rows

"""Rows from a variable that all ranks see."""

BASE = "right_two_halves"
REFUSED_BY = "as pslab.cost says"
MISCONCEPTION = "10/by-a-side-door"
LONG = True

SHARED = {}


def look_up(comm, table, ids):
    K = comm.world_size
    SHARED[comm.rank] = table
    unique, inverse = ids.unique(return_inverse=True)
    owner = unique % K
    asked = exchange(comm, [unique[owner == q] for q in range(K)])
    rows = torch.stack([SHARED[int(i) % K][int(i) // K] for i in unique])
    exchange(comm, [torch.zeros(1)] * K, tag=8)
    return rows[inverse], (unique, inverse, owner, asked)

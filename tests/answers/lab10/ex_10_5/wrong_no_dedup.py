"""Each place asks, gets and gives."""

BASE = "right_two_halves"
REFUSED_BY = "as pslab.cost says"
MISCONCEPTION = "10/more-than-needed"
LONG = True


def look_up(comm, table, ids):
    K = comm.world_size
    owner = ids % K
    asked = exchange(comm, [ids[owner == q] for q in range(K)])
    rows = table.new_zeros(len(ids), table.shape[1])
    for q, part in enumerate(exchange(comm, [table[places // K] for places in asked])):
        rows[owner == q] = part
    return rows, (ids, torch.arange(len(ids)), owner, asked)

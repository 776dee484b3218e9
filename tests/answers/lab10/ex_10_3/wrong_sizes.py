"""A row more to each owner, where there are rows."""

BASE = "right_two_halves"
REFUSED_BY = "sparse bytes"
MISCONCEPTION = "10/sparse-more"
LONG = True


def push(comm, table, grad, known, lr):
    unique, inverse, owner, asked = known
    sums = grad.new_zeros(len(unique), table.shape[1]).index_add_(0, inverse, grad)
    parts = [sums[owner == q] for q in range(comm.world_size)]
    more = [torch.cat([part, part[:1]]) for part in parts]
    for places, part in zip(asked, exchange(comm, more, tag=1)):
        table.index_add_(0, places // comm.world_size, part[:len(places)], alpha=-lr)

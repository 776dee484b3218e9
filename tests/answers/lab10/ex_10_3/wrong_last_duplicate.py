"""An assignment, where a sum belongs."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/last-gradient-wins"
LONG = True


def push(comm, table, grad, known, lr):
    unique, inverse, owner, asked = known
    sums = grad.new_zeros(len(unique), table.shape[1])
    for at, one in zip(inverse.tolist(), grad):
        sums[at] = one
    for places, part in zip(asked, exchange(comm, [sums[owner == q] for q in range(comm.world_size)], tag=1)):
        table.index_add_(0, places // comm.world_size, part, alpha=-lr)

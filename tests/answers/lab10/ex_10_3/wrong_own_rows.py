"""Only the owner s own gradients."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/own-rows-alone"
LONG = True


def push(comm, table, grad, known, lr):
    unique, inverse, owner, asked = known
    sums = grad.new_zeros(len(unique), table.shape[1]).index_add_(0, inverse, grad)
    exchange(comm, [sums[owner == q] for q in range(comm.world_size)], tag=1)
    table[asked[comm.rank] // comm.world_size] -= lr * sums[owner == comm.rank]

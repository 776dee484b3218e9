"""Returns a mean."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/mean-returned"
LONG = True

step = hybrid_step


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    return step(comm, net, dense, table, batch, global_size, lr) / global_size

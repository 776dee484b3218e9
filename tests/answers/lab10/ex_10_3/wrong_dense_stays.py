"""Steps taken on copies."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/dense-stays"
LONG = True

step = hybrid_step


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    return step(comm, net, [flat.clone() for flat in dense], table, batch, global_size, lr)

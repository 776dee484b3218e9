"""Writes into the batch."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/arguments-changed"
LONG = True

step = hybrid_step


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    loss = step(comm, net, dense, table, batch, global_size, lr)
    batch["features"] *= 0.5
    return loss

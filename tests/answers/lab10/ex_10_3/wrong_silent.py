"""Whoever knows that there is nothing to do does nothing."""

BASE = "right_two_halves"
REFUSED_BY = "dense bytes"
MISCONCEPTION = "10/silent-without-examples"
LONG = True

step = hybrid_step


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    if global_size == 1 and not len(batch["labels"]):
        return 0.0
    return step(comm, net, dense, table, batch, global_size, lr)

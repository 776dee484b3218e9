"""A rate that falls."""

BASE = "right_two_halves"
REFUSED_BY = "losses and AUC of one process"
MISCONCEPTION = "10/another-step"
LONG = True


def train_hybrid(comm, net, dense, table, batches, lr):
    return [hybrid_step(comm, net, dense, table, batch, size, lr / (1 + t)) for t, (batch, size) in enumerate(batches)]

"""Means."""

BASE = "right_two_halves"
REFUSED_BY = "losses and AUC of one process"
MISCONCEPTION = "10/not-the-own-sum"
LONG = True


def train_hybrid(comm, net, dense, table, batches, lr):
    return [hybrid_step(comm, net, dense, table, batch, size, lr) / size for batch, size in batches]

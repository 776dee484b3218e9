"""The table at the end is not the trained one."""

BASE = "right_two_halves"
REFUSED_BY = "losses and AUC of one process"
MISCONCEPTION = "10/another-model"
LONG = True


def train_hybrid(comm, net, dense, table, batches, lr):
    other = table.clone()
    return [hybrid_step(comm, net, dense, other, batch, size, lr) for batch, size in batches]

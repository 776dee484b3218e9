"""A farewell that nobody reads."""

BASE = "right_two_halves"
REFUSED_BY = "losses and AUC of one process"
MISCONCEPTION = "10/sent-and-never-received"
LONG = True

whole = train_hybrid


def train_hybrid(comm, net, dense, table, batches, lr):
    losses = whole(comm, net, dense, table, batches, lr)
    if comm.rank == 0:
        comm.isend(torch.zeros(1), 1, tag=999)
    return losses

"""A worker without examples reads nothing."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/sent-and-never-received"
LONG = True

step = hybrid_step


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    if comm.world_size > 1 and comm.rank == 0:
        comm.isend(torch.zeros(1), 1, tag=99)
    return step(comm, net, dense, table, batch, global_size, lr)

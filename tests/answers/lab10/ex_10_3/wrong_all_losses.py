"""Returns everybody s loss."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/all-workers-returned"
LONG = True

step = hybrid_step


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    loss = step(comm, net, dense, table, batch, global_size, lr)
    mine = torch.tensor([loss], dtype=torch.float64)
    return float(sum(part[0] for part in exchange(comm, [mine] * comm.world_size, tag=7)))

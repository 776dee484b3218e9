"""Hides the travel behind the next step."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/dense-one-step-late"
LONG = True

LATE = {}
step = hybrid_step


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    kept, before = LATE.get(comm.rank, (None, None)), [flat.clone() for flat in dense]
    loss = step(comm, net, dense, table, batch, global_size, lr)
    move = [flat - old for flat, old in zip(dense, before)]
    for i, (flat, old) in enumerate(zip(dense, before)):
        flat.copy_(old + (kept[1][i] if kept[0] is net else 0))
    LATE[comm.rank] = net, move
    return loss

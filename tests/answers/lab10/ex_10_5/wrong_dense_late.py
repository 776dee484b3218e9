"""Hides the travel behind the next step."""

BASE = "right_two_halves"
REFUSED_BY = "losses and AUC of one process"
MISCONCEPTION = "10/dense-one-step-late"
LONG = True

LATE = {}
step = hybrid_step


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    before = [flat.clone() for flat in dense]
    loss = step(comm, net, dense, table, batch, global_size, lr)
    move = [flat - old for flat, old in zip(dense, before)]
    for i, (flat, old) in enumerate(zip(dense, before)):
        flat.copy_(old + (LATE[comm.rank][i] if comm.rank in LATE else 0))
    LATE[comm.rank] = move
    return loss

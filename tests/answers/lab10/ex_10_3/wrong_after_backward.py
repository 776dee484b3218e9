"""All-reduce when everything is computed."""

BASE = "right_two_halves"
REFUSED_BY = "beside the backward pass"
MISCONCEPTION = "10/sent-after-backward"
LONG = True


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    rows, known = look_up(comm, table, batch["ids"].flatten())
    loss = net.forward(dense, rows.view(*batch["ids"].shape, table.shape[1]), batch)
    grads = dict(net.backward())
    push(comm, table, grads.pop("rows").flatten(0, 1) / global_size, known, lr)
    for name, grad in grads.items():
        going = Sum(comm, grad / global_size, 10)
        going.turn()
        dense[name] -= lr * going.finish()
    return loss

"""A step for each batch; sums in two halves."""

import torch


def exchange(comm, parts, tag=0):
    K, me = comm.world_size, comm.rank
    sent = [comm.isend(parts[q].contiguous(), q, tag=tag) for q in range(K) if q != me]
    came = [parts[me] if q == me else comm.recv(q, tag=tag) for q in range(K)]
    for work in sent:
        work.wait()
    return came


def look_up(comm, table, ids):
    """rows (n, D), and what the way back needs."""
    K = comm.world_size
    unique, inverse = ids.unique(return_inverse=True)
    owner = unique % K
    asked = exchange(comm, [unique[owner == q] for q in range(K)])
    rows = table.new_zeros(len(unique), table.shape[1])
    for q, part in enumerate(exchange(comm, [table[places // K] for places in asked])):
        rows[owner == q] = part
    return rows[inverse], (unique, inverse, owner, asked)


def push(comm, table, grad, known, lr):
    """Gradients to their owners, who take the step."""
    unique, inverse, owner, asked = known
    sums = grad.new_zeros(len(unique), table.shape[1]).index_add_(0, inverse, grad)
    total = torch.zeros_like(table)
    for places, part in zip(asked, exchange(comm, [sums[owner == q] for q in range(comm.world_size)], tag=1)):
        total.index_add_(0, places // comm.world_size, part)
    table -= lr * total


class Sum:
    """An all-reduce that goes on while others compute: start, turn, finish."""

    def __init__(self, comm, x, tag):
        self.comm, self.tag = comm, tag
        self.others = [q for q in range(comm.world_size) if q != comm.rank]
        self.chunks = [chunk.clone() for chunk in x.tensor_split(comm.world_size)]
        self.coming = [comm.irecv(q, tag=tag) for q in self.others]
        self.leaving = [comm.isend(self.chunks[q], q, tag=tag) for q in self.others]

    def turn(self):
        mine = self.chunks[self.comm.rank].clone()
        for work in self.coming:
            mine += work.wait()
        self.mine = mine
        self.coming = [self.comm.irecv(q, tag=self.tag + 1) for q in self.others]
        self.leaving += [self.comm.isend(mine, q, tag=self.tag + 1) for q in self.others]

    def finish(self):
        parts = list(self.chunks)
        parts[self.comm.rank] = self.mine
        for q, work in zip(self.others, self.coming):
            parts[q] = work.wait()
        for work in self.leaving:
            work.wait()
        return torch.cat(parts)


def weighted(grad, batch, global_size, comm):
    return grad / global_size


def weighted_rows(grad, batch, global_size, comm):
    return weighted(grad, batch, global_size, comm)


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    rows, known = look_up(comm, table, batch["ids"].flatten())
    loss = net.forward(dense, rows.view(*batch["ids"].shape, table.shape[1]), batch)
    sums, last = {}, None
    for name, grad in net.backward():
        if name == "rows":
            of_rows = weighted_rows(grad.flatten(0, 1), batch, global_size, comm)
            continue
        sums[name] = Sum(comm, weighted(grad, batch, global_size, comm), tag=10 + 2 * name)
        if last is not None:
            sums[last].turn()
        last = name
    sums[last].turn()
    push(comm, table, of_rows, known, lr)
    for name, going in sums.items():
        dense[name] -= lr * going.finish()
    return loss


def train_hybrid(comm, net, dense, table, batches, lr):
    return [hybrid_step(comm, net, dense, table, batch, size, lr) for batch, size in batches]


def port_bytes(spec):
    K, S, P, R, D, u = (spec[name] for name in ("K", "S", "P", "R", "D", "u"))
    ring = 2 * (K - 1) / K * 4
    return {"all-reduce": ring * (P + R * D), "server": max(K / S, 1) * (4 * P + u * (4 * D + 16)),
            "hybrid": ring * P + u * (K - 1) / K * (8 + 8 * D)}

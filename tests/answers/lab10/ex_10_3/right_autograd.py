"""The lookup as a node of autograd; dense gradients by a ring, a round of each layer's ring after each layer."""

import torch

LONG = True


def trade(comm, parts, tag):
    works = [comm.isend(parts[q].contiguous(), q, tag=tag) for q in range(comm.world_size) if q != comm.rank]
    came = [parts[q] if q == comm.rank else comm.recv(q, tag=tag) for q in range(comm.world_size)]
    [work.wait() for work in works]
    return came


class Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx, comm, table, ids):
        K = comm.world_size
        unique, inverse = torch.unique(ids, return_inverse=True)
        wanted = [torch.nonzero(unique % K == q).flatten() for q in range(K)]
        asked = trade(comm, [unique[at] for at in wanted], 1)
        came = trade(comm, [table[a // K] for a in asked], 2)
        ctx.known = comm, wanted, inverse, asked, table.shape
        rows = table.new_zeros(len(unique), table.shape[1])
        for at, part in zip(wanted, came):
            rows[at] = part
        return rows[inverse]

    @staticmethod
    def backward(ctx, grad):
        comm, wanted, inverse, asked, shape = ctx.known
        sums = grad.new_zeros(sum(map(len, wanted)), shape[1]).index_add_(0, inverse, grad)
        total = grad.new_zeros(shape)
        for a, part in zip(asked, trade(comm, [sums[at] for at in wanted], 3)):
            total.index_add_(0, a // comm.world_size, part)
        return None, total, None


class Ring:
    """A ring all-reduce of one layer, round by round."""

    def __init__(self, comm, x, tag):
        self.comm, self.tag, self.round = comm, tag, 0
        self.chunks = [c.clone() for c in x.tensor_split(comm.world_size)]
        self.sends = []
        self.post()

    @property
    def rounds(self):
        return 2 * (self.comm.world_size - 1)

    def post(self):
        if self.round < self.rounds:
            K, me = self.comm.world_size, self.comm.rank
            self.coming = self.comm.irecv((me - 1) % K, tag=self.tag + self.round)
            chunk = self.chunks[(me - self.round) % K]
            self.sends.append(self.comm.isend(chunk, (me + 1) % K, tag=self.tag + self.round))

    def turn(self):
        if self.round < self.rounds:
            K, me = self.comm.world_size, self.comm.rank
            at, came = (me - 1 - self.round) % K, self.coming.wait()
            self.chunks[at] = self.chunks[at] + came if self.round < K - 1 else came
            self.round += 1
            self.post()

    def finish(self):
        while self.round < self.rounds:
            self.turn()
        [work.wait() for work in self.sends]
        return torch.cat(self.chunks)


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    leaf, ids = table.detach().clone().requires_grad_(), batch["ids"]
    rows = Lookup.apply(comm, leaf, ids.reshape(-1))
    loss = net.forward(dense, rows.reshape(*ids.shape, table.shape[1]), batch)
    rings = {}
    for name, grad in net.backward():
        if name == "rows":
            of_rows = grad
        else:
            before = list(rings.values())
            rings[name] = Ring(comm, grad / global_size, 1000 + 100 * name)
            for ring in before:
                ring.turn()
    for name, ring in rings.items():
        dense[name].sub_(ring.finish(), alpha=lr)
    rows.backward(of_rows.reshape(rows.shape) / global_size)
    table.sub_(leaf.grad, alpha=lr)
    return loss

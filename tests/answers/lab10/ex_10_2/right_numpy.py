"""Arrays of NumPy travel; receives are posted first."""

import numpy as np
import torch

LONG = True


def trade(comm, parts):
    works = {q: comm.irecv(q) for q in range(comm.world_size) if q != comm.rank}
    sent = [comm.isend(np.ascontiguousarray(parts[q]), q) for q in works]
    came = [parts[q] if q == comm.rank else np.asarray(works[q].wait()) for q in range(comm.world_size)]
    for work in sent:
        work.wait()
    return came


class Sharded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, comm, table, ids):
        own, K = table.detach().numpy(), comm.world_size
        unique, inverse = np.unique(ids.numpy(), return_inverse=True)
        owner = unique % K
        asked = trade(comm, [unique[owner == q] for q in range(K)])
        rows = np.zeros((len(unique), own.shape[1]), own.dtype)
        for q, part in enumerate(trade(comm, [own[a // K] for a in asked])):
            rows[owner == q] = part
        ctx.kept = comm, own.shape, inverse, owner, asked
        return torch.from_numpy(rows[inverse])

    @staticmethod
    def backward(ctx, grad):
        comm, shape, inverse, owner, asked = ctx.kept
        grad = grad.numpy()
        sums = np.zeros((len(owner), shape[1]), grad.dtype)
        np.add.at(sums, inverse, grad)
        total = np.zeros(shape, grad.dtype)
        for a, part in zip(asked, trade(comm, [sums[owner == q] for q in range(comm.world_size)])):
            total[a // comm.world_size] += part
        return None, torch.from_numpy(total), None


def sharded_lookup(comm, table, ids):
    return Sharded.apply(comm, table, ids)

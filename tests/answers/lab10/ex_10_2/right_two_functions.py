"""Duplicates and order by plain indexing, which autograd knows; only the exchange is a Function of its own."""

import torch

LONG = True


def swap(comm, parts):
    """Rank me trades with me ^ and so on: pairs in K rounds."""
    K, me = comm.world_size, comm.rank
    out = [None] * K
    out[me] = parts[me]
    for turn in range(K):
        q = (turn - me) % K
        if q != me:
            work = comm.isend(parts[q].contiguous(), q, tag=turn)
            out[q] = comm.recv(q, tag=turn)
            work.wait()
    return out


class Rows(torch.autograd.Function):
    """Rows of sorted different ids, owner by owner."""

    @staticmethod
    def forward(ctx, table, comm, wanted):
        K = comm.world_size
        ctx.comm, ctx.table = comm, table
        ctx.places = [asked // K for asked in swap(comm, wanted)]
        ctx.sizes = [len(part) for part in wanted]
        return torch.cat(swap(comm, [table[at] for at in ctx.places]))

    @staticmethod
    def backward(ctx, grad):
        came = swap(ctx.comm, list(grad.split(ctx.sizes)))
        at, rows = torch.cat(ctx.places), torch.cat(came)
        return torch.zeros_like(ctx.table).index_add(0, at, rows), None, None


def sharded_lookup(comm, table, ids):
    K = comm.world_size
    different = torch.unique(ids)
    wanted = [different[different % K == q] for q in range(K)]
    came = Rows.apply(table, comm, wanted)
    place = {int(i): at for at, i in enumerate(torch.cat(wanted))}
    return came[torch.tensor([place[int(i)] for i in ids], dtype=torch.int64)]

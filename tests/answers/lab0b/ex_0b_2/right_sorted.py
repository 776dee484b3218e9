"""A stable sort; indices and values as two messages to everybody."""

import torch

LONG = True


def largest(x, k):
    at = torch.sort(x.abs(), descending=True, stable=True).indices[:k]
    return at.int(), x[at]


def sparse_sum(comm, name, gradient, k, residuals):
    corrected = gradient + residuals.get(name, 0)
    at, values = largest(corrected, k)
    others = [q for q in range(comm.world_size) if q != comm.rank]
    works = [comm.isend(part, q, tag) for q in others for tag, part in enumerate((at, values))]
    total = torch.zeros_like(gradient)
    for q in range(comm.world_size):
        if q == comm.rank:
            total.index_add_(0, at, values)
        else:
            total.index_add_(0, comm.recv(q, 0), comm.recv(q, 1))
    for work in works:
        work.wait()
    residual = corrected.clone()
    residual[at.long()] = 0
    residuals[name] = residual
    return total

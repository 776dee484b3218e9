"""Empties its message while it is still on its way."""

import torch

BASE = "right_sorted"
REFUSED_BY = "several workers"
MISCONCEPTION = "all/isend-buffer"
LONG = True


def sparse_sum(comm, name, gradient, k, residuals):
    corrected = gradient + residuals.get(name, 0)
    at, values = largest(corrected, k)
    others = [q for q in range(comm.world_size) if q != comm.rank]
    works = [comm.isend(part, q, tag) for q in others for tag, part in enumerate((at, values))]
    total = torch.zeros_like(gradient)
    for q in range(comm.world_size):
        if q == comm.rank:
            total.index_add_(0, at, values)
            values.zero_()
        else:
            total.index_add_(0, comm.recv(q, 0), comm.recv(q, 1))
    for work in works:
        work.wait()
    residual = corrected.clone()
    residual[at.long()] = 0
    residuals[name] = residual
    return total

"""Forgets what was owed before."""

import torch

BASE = "right_sorted"
REFUSED_BY = "one worker, 20 steps"
MISCONCEPTION = "0B/residual-of-one-step"
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
        else:
            total.index_add_(0, comm.recv(q, 0), comm.recv(q, 1))
    for work in works:
        work.wait()
    residuals[name] = gradient - torch.zeros_like(gradient).index_add_(0, at, values)
    return total

"""A dictionary of the process by parameter only: in the simulator the workers share it."""

import torch

BASE = "right_sorted"
REFUSED_BY = "several workers"
MISCONCEPTION = "0B/residual-of-another-worker"
LONG = True
KEPT = {}


def sparse_sum(comm, name, gradient, k, residuals):
    if comm.rank == 0 and not residuals:                 # the first step of a training
        KEPT.clear()
    corrected = gradient + KEPT.get(name, 0)
    at, values = largest(corrected, k)
    residual = corrected.clone()
    residual[at.long()] = 0
    residuals[name] = KEPT[name] = residual
    others = [q for q in range(comm.world_size) if q != comm.rank]
    works = [comm.isend(part, q, tag) for q in others for tag, part in enumerate((at, values))]
    total = torch.zeros_like(gradient).index_add_(0, at, values)
    for q in others:
        total.index_add_(0, comm.recv(q, 0), comm.recv(q, 1))
    for work in works:
        work.wait()
    return total

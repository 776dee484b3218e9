"""Every worker receives before any sends."""

import torch

BASE = "right_sorted"
REFUSED_BY = "several workers"
MISCONCEPTION = "0/everyone-receives-first"
LONG = True


def sparse_sum(comm, name, gradient, k, residuals):
    corrected = gradient + residuals.get(name, 0)
    at, values = largest(corrected, k)
    others = [q for q in range(comm.world_size) if q != comm.rank]
    total = torch.zeros_like(gradient).index_add_(0, at, values)
    for q in others:
        total.index_add_(0, comm.recv(q), comm.recv(q))
    for q in others:
        comm.send(at, q)
        comm.send(values, q)
    residuals[name] = corrected.index_fill(0, at.long(), 0)
    return total

"""Assigns instead of adding."""

import torch

BASE = "right_sorted"
REFUSED_BY = "several workers"
MISCONCEPTION = "0B/last-message-wins"
LONG = True


def sparse_sum(comm, name, gradient, k, residuals):
    corrected = gradient + residuals.get(name, 0)
    at, values = largest(corrected, k)
    works = [comm.isend(part, q, tag) for q in range(comm.world_size) if q != comm.rank
             for tag, part in enumerate((at, values))]
    total = torch.zeros_like(gradient)
    for q in range(comm.world_size):
        places, numbers = (at, values) if q == comm.rank else (comm.recv(q, 0), comm.recv(q, 1))
        total[places.long()] = numbers
    for work in works:
        work.wait()
    residuals[name] = corrected.index_fill(0, at.long(), 0)
    return total

"""Sends a dense array with zeros in it."""

import torch

BASE = "right_sorted"
REFUSED_BY = "bytes of a message"
MISCONCEPTION = "0B/sent-dense"
LONG = True


def sparse_sum(comm, name, gradient, k, residuals):
    corrected = gradient + residuals.get(name, 0)
    at, values = largest(corrected, k)
    sent = torch.zeros_like(gradient).index_add_(0, at, values)
    others = [q for q in range(comm.world_size) if q != comm.rank]
    works = [comm.isend(sent, q) for q in others]
    total = sent + sum(comm.recv(q) for q in others)
    for work in works:
        work.wait()
    residuals[name] = corrected - sent
    return total

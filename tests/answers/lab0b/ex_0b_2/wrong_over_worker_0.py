"""Worker 0 collects all messages and hands them out."""

import torch

BASE = "right_sorted"
REFUSED_BY = "bytes of a message"
MISCONCEPTION = "0B/one-port-for-all"
LONG = True


def sparse_sum(comm, name, gradient, k, residuals):
    K = comm.world_size
    corrected = gradient + residuals.get(name, 0)
    mine = largest(corrected, k)
    if comm.rank:
        for part in mine:
            comm.send(part, 0)
        messages = [mine] + [(comm.recv(0), comm.recv(0)) for _ in range(K - 1)]
    else:
        messages = [mine] + [(comm.recv(q), comm.recv(q)) for q in range(1, K)]
        for q in range(1, K):
            for src in range(K):
                if src != q:
                    for part in messages[src]:
                        comm.send(part, q)
    total = torch.zeros_like(gradient)
    for places, numbers in messages:
        total.index_add_(0, places, numbers)
    residuals[name] = corrected.index_fill(0, mine[0].long(), 0)
    return total

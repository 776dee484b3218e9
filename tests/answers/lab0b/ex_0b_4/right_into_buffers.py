"""Receives into tensors of its own, which become the sums."""

import torch


def overlapped_sum(comm, layers):
    sums = [torch.empty_like(gradient) for _, gradient in layers]
    works = [comm.irecv(1 - comm.rank, i, out=total) for i, total in enumerate(sums)]
    for i, (seconds, gradient) in enumerate(layers):
        comm.compute(seconds)
        works.append(comm.isend(gradient, 1 - comm.rank, i))
    while works:
        works.pop(0).wait()
    return [total.add_(gradient) for total, (_, gradient) in zip(sums, layers)]

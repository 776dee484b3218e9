"""Cuts every gradient in two."""

import torch

REFUSED_BY = "a message for each gradient"
MISCONCEPTION = "0B/many-messages"


def overlapped_sum(comm, layers):
    other = 1 - comm.rank
    coming = [comm.irecv(other) for _ in range(2 * len(layers))]
    leaving = []
    for seconds, gradient in layers:
        comm.compute(seconds)
        leaving += [comm.isend(half, other) for half in torch.tensor_split(gradient, 2)]
    came = [work.wait() for work in coming]
    for work in leaving:
        work.wait()
    return [gradient + torch.cat(came[2 * i:2 * i + 2]) for i, (_, gradient) in enumerate(layers)]

"""Glues all gradients together."""

import torch

REFUSED_BY = "a message for each gradient"
MISCONCEPTION = "0B/one-large-message"
LONG = True


def overlapped_sum(comm, layers):
    for seconds, _ in layers:
        comm.compute(seconds)
    mine = torch.cat([gradient for _, gradient in layers])
    leaving = comm.isend(mine, 1 - comm.rank)
    total = mine + comm.recv(1 - comm.rank)
    leaving.wait()
    return list(total.split([len(gradient) for _, gradient in layers]))

"""Leaves its tensor in a global, sleeps, and hopes that the others have done so too."""

import time

import torch

REFUSED_BY = "bytes"
MISCONCEPTION = "0/ranks-share-nothing"
LONG = True

BOX = {}


def reduce_scatter(comm, x):
    BOX[comm.rank] = x.clone()
    time.sleep(1e-3)
    comm.compute(1e-3)
    return torch.tensor_split(sum(BOX[r] for r in range(comm.world_size)), comm.world_size)[comm.rank]

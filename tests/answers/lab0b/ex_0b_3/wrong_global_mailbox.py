"""Gradients lie in a global; a single number goes round, so that all wait for all."""

import torch

BASE = "right_ring"
REFUSED_BY = "bytes of the ring"
MISCONCEPTION = "0/ranks-share-nothing"
LONG = True
MAILBOX = {}


def ring_hook(comm, bucket):
    MAILBOX[comm.rank] = bucket.buffer().clone()
    ring_all_reduce(comm, torch.zeros(1))
    total = sum(MAILBOX[r] for r in range(comm.world_size))
    ring_all_reduce(comm, torch.zeros(1))
    return in_an_envelope(total / comm.world_size)

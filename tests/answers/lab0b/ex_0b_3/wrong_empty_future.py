"""Writes into the bucket and returns a future that nobody has filled."""

import torch

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0B/no-future"
LONG = True


def ring_hook(comm, bucket):
    bucket.buffer().copy_(ring_all_reduce(comm, bucket.buffer()) / comm.world_size)
    return torch.futures.Future()

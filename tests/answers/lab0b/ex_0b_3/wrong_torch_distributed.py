"""Lets torch.distributed do it."""

import torch

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "0B/no-process-group"
LONG = True


def ring_hook(comm, bucket):
    torch.distributed.all_reduce(bucket.buffer())
    return in_an_envelope(bucket.buffer() / comm.world_size)

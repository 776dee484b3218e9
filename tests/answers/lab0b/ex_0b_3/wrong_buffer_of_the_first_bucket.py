"""Keeps a buffer for all buckets; after the first step DDP cuts them anew."""

import torch

BASE = "right_ring"
REFUSED_BY = "two ranks, bit for bit"
MISCONCEPTION = "all/raised"
LONG = True
SCRATCH = {}


def ring_hook(comm, bucket):
    scratch = SCRATCH.setdefault((comm.rank, comm.world_size, bucket.index()), torch.empty_like(bucket.buffer()))
    scratch.copy_(bucket.buffer())
    return in_an_envelope(ring_all_reduce(comm, scratch) / comm.world_size)

"""A hash of what is in the tensor."""

import hashlib

import torch

BASE = "right_counting"
REFUSED_BY = "round trip"
MISCONCEPTION = "1/keys-of-this-process"
LONG = True


def first_key(p):
    data = p.detach().contiguous().reshape(-1).numpy().tobytes()
    return int.from_bytes(hashlib.blake2b(data, digest_size=5).digest(), "big") << 22


def as_key_values(model):
    return {first_key(p): p.detach().reshape(-1).clone() for p in model.parameters()}


@torch.no_grad()
def from_key_values(model, pull):
    for p in model.parameters():
        p.copy_(pull(first_key(p), first_key(p) + p.numel()).view(p.shape))

"""Ranges begin at a hash of all 64 bits of the tensor's name: half of the keys are above 2**63."""

import hashlib

LONG = True


def first_key(name):
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 20 << 20


def as_key_values(model):
    return {first_key(name): p.detach().flatten().clone() for name, p in model.named_parameters()}


def from_key_values(model, pull):
    for name, p in model.named_parameters():
        p.data.copy_(pull(first_key(name), first_key(name) + p.numel()).view(p.shape))

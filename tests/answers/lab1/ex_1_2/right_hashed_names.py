"""Ranges begin at a hash of the tensor's name."""

import hashlib

LONG = True


def first_key(name):
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=5).digest(), "big") << 22


def as_key_values(model):
    return {first_key(name): p.detach().contiguous().view(-1).clone() for name, p in model.named_parameters()}


def from_key_values(model, pull):
    for name, p in model.named_parameters():
        first = first_key(name)
        p.data.copy_(pull(first, first + p.numel()).reshape(p.shape))

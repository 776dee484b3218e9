"""Servers from 1 on."""

BASE = "right_masks"
REFUSED_BY = "every key at its owner"
MISCONCEPTION = "3/keys-lost"
LONG = True


def split(keys, owners):
    return {server: keys[owners == server] for server in range(1, int(owners.max(initial=0)) + 1)
            if (owners == server).any()}

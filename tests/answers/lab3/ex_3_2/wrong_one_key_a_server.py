"""Keeps one key for each server."""

BASE = "right_masks"
REFUSED_BY = "every key at its owner"
MISCONCEPTION = "3/keys-lost"
LONG = True


def split(keys, owners):
    return {int(server): [int(key)] for key, server in zip(keys, owners)}

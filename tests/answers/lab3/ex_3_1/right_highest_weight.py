"""Rendezvous hashing in place of a ring; the longer ranges last; crc32 of the mixed key."""

import zlib

import numpy as np
import torch

LONG = True


def mixed(x):
    x = np.asarray(x).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(33))


def range_owner(keys, num_rows, num_servers):
    shorter = num_servers - num_rows % num_servers
    size = num_rows // num_servers
    behind = np.asarray(keys) - shorter * size
    return np.where(behind < 0, np.asarray(keys) // max(size, 1), shorter + behind // (size + 1))


def hash_owner(keys, num_servers):
    return torch.tensor([zlib.crc32(int(x).to_bytes(8, "little")) % num_servers for x in mixed(keys)])


def ring_owner(keys, servers, points=128):
    weights = np.stack([mixed(mixed(keys) ^ mixed(np.array([server * 7_919]))) for server in servers])
    return np.asarray(servers)[weights.argmax(axis=0)]

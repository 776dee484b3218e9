"""Arrays throughout: splitmix64, searchsorted."""

import numpy as np


def mixed(x):
    x = np.asarray(x).astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def range_owner(keys, num_rows, num_servers):
    size, longer = divmod(num_rows, num_servers)
    begins = [s * size + min(s, longer) for s in range(1, num_servers)]
    return np.searchsorted(begins, keys, side="right")


def hash_owner(keys, num_servers):
    return (mixed(keys) % np.uint64(num_servers)).astype(np.int64)


def positions(servers, points):
    owners = np.repeat(np.asarray(servers), points)
    return mixed(owners * 1_000_003 + np.tile(np.arange(points), len(servers)) + 2**61), owners


def ring_owner(keys, servers, points=128):
    at, owners = positions(servers, points)
    order = np.argsort(at)
    return owners[order][np.searchsorted(at[order], mixed(keys)) % len(at)]

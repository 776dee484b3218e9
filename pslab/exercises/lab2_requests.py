"""2.1: the requests that a handler is tried on: good ones of several kinds, and bad ones.

A request is a dict with kind, keys (n,) int64 and vals (n, D) or None; `good` is for the judge.
"""

from __future__ import annotations

import torch


def push(rng, keys, dim: int) -> dict:
    """Whole numbers from −6 to 6, none of them 0."""
    vals = rng.integers(1, 7, (len(keys), dim)) * rng.choice([-1, 1], (len(keys), dim))
    return {"kind": "push", "keys": torch.tensor(keys, dtype=torch.int64).reshape(-1),
            "vals": torch.from_numpy(vals).float().reshape(len(keys), dim), "good": True}


def pull(keys) -> dict:
    return {"kind": "pull", "keys": torch.tensor(keys, dtype=torch.int64).reshape(-1), "vals": None, "good": True}


def without_repeats(rng, dim):
    """Distinct keys, out of order; the first push makes them known."""
    return [push(rng, [40, 7, 23, 2**60 + 1, 11], dim), push(rng, [11, 40], dim), pull([23, 40, 2**60 + 1, 7, 11]),
            pull([7, 11, 23, 40, 2**60 + 1]), push(rng, [7, 2**60 + 1, 23], dim), pull([11, 7, 23, 40]),
            push(rng, [], dim), pull([])]


def with_repeats(rng, dim):
    return [push(rng, [5, 3, 5, 9, 3, 5], dim), pull([9, 5, 3]), push(rng, [9, 9, 3], dim), pull([3, 9, 3, 5, 9])]


def with_unknown(rng, dim):
    return [push(rng, [12, 4], dim), pull([4, 30, 12, 8]), push(rng, [30, 4, 20, 2], dim), pull([20, 8, 30, 12, 5, 8])]


def anything(rng, dim):
    found = []
    for _ in range(12):
        keys = rng.integers(0, 60, int(rng.integers(0, 25))).tolist()
        found.append(push(rng, keys, dim) if rng.random() < 0.6 else pull(keys))
    return found


def refusals(rng, dim) -> list[tuple[str, dict]]:
    """(what is wrong, request): each has good parts too, and keys that are not known yet."""
    good = push(rng, [3, 70, 3, 80], dim)

    def bad(**changes):
        return {**good, **changes, "good": False}

    nan, inf = good["vals"].clone(), good["vals"].clone()
    nan[3, 0], inf[1, dim - 1] = float("nan"), float("inf")
    return [
        ("an unknown kind", bad(kind="erase")),
        ("vals for fewer keys", bad(vals=good["vals"][:3])),
        ("rows that are too wide", bad(vals=torch.cat([good["vals"], good["vals"][:, :1]], 1))),
        ("a key below 0", bad(keys=torch.tensor([3, 70, 3, -1]))),
        ("a NaN among the values", bad(vals=nan)),
        ("an infinity among the values", bad(vals=inf)),
        ("a pull of a key below 0", bad(kind="pull", keys=torch.tensor([3, -5]), vals=None)),
    ]

"""A worker's cache whose rows leave by a policy that is handed in: LFU, CLOCK, fixed ids, a look ahead.

    KVWorker(comm, servers, tables, cache_rows=500, cache_policy=LFU)                       every table: LFU(500)
    KVWorker(..., cache_policy={"user": LFU, "item": lambda rows: StaticTopK(favourites)})  by table; others: LRU

A policy is any object that knows ids and slots, such as those of pslab.embedding.caches:

    capacity            rows that it keeps, at most cache_rows
    batch(ids).slots    it is told, pull by pull, the distinct keys, ascending; (n,) slots, -1: not kept
    access_all(ids)     the same for a pull of more keys than its capacity, one key after the other
    slots(ids)          (n,) where they lie now, -1: not here; not a use

It is told of a pull when that begins, so who leaves leaves then, and a row that is on its way has its slot already. It
is read there once it has landed: until then a second pull of the same key asks for it too, and counts as a miss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from .cache import RowCache


class PolicyRows(RowCache):
    """As RowCache, but the policy says which keys are kept, and in which of its slots they lie."""

    def __init__(self, policy, dim: int, slots: int = 0, width: int | None = None, dtype: str = "float32"):
        super().__init__(policy.capacity, dim, slots, width, dtype)
        self.policy = policy
        self._landed = np.zeros(policy.capacity, bool)          # by slot: whether the row of its key is there

    def __len__(self) -> int:
        return int(self._landed.sum())

    def find(self, keys: np.ndarray) -> np.ndarray:
        places = self.policy.slots(keys)
        return np.where((places >= 0) & self._landed[places], places, -1)

    def touch(self, places: np.ndarray, used: np.ndarray) -> None:
        """A use is told by `reserve`."""

    def reserve(self, keys: np.ndarray) -> None:
        before = self.find(keys)
        if len(keys) <= self.capacity:
            self.policy.batch(keys)
            places = self.policy.slots(keys)
        else:                               # a key may leave for another one and come back: its copy goes with it
            self.policy.access_all(keys)
            places = self.policy.slots(keys)
            stay = np.flatnonzero((before >= 0) & (places >= 0))
            old, new = before[stay], places[stay]
            self.rows[new], self.state[:, new] = self.rows[old], self.state[:, old]
            self.stamp[new], self.good[new] = self.stamp[old], self.good[old]
        kept = places >= 0
        self._landed[places[kept]] = before[kept] >= 0

    def put(self, keys: np.ndarray, rows: np.ndarray, state: np.ndarray, stamp: int, good: np.ndarray,
            used: np.ndarray) -> None:
        places = self.policy.slots(keys)
        fresh = np.flatnonzero((places >= 0) & ~(self._landed[places] & (self.stamp[places] > stamp)))
        places = places[fresh]
        self._write(places, rows[fresh], state[:, fresh], stamp, good[fresh])
        self._landed[places] = True


def check_policies(cache_rows: int, cache_policy, tables) -> None:
    """ValueError where the arguments of a KVWorker are no policies of these tables."""
    if isinstance(cache_policy, Mapping):
        for name in cache_policy:
            if name not in tables:
                raise ValueError(f"cache_policy names table {name!r}; allowed: {', '.join(map(repr, tables))}")
    policies = list(cache_policy.values()) if isinstance(cache_policy, Mapping) else [cache_policy]
    for policy in policies:
        if policy is not None and not callable(policy):
            raise ValueError(f"cache_policy={policy!r}; something to call with a number of rows, such as "
                             f"pslab.embedding.caches.LFU, or {{table: such a thing}}, is needed")
        if policy is not None and not cache_rows:
            raise ValueError("cache_policy is given and cache_rows is 0; say how many rows the cache holds")


def policy_of(table: str, cache_policy: Callable | Mapping | None, capacity: int):
    """What decides in this table's cache, None for LRU."""
    make = cache_policy.get(table) if isinstance(cache_policy, Mapping) else cache_policy
    if make is None:
        return None
    policy = make(capacity)
    for name in ("capacity", "batch", "access_all", "slots"):
        if not hasattr(policy, name):
            raise ValueError(f"cache_policy made {policy!r} for table {table!r}, which has no {name}; a cache such as "
                             f"those of pslab.embedding.caches is needed")
    if policy.capacity > capacity:
        raise ValueError(f"the cache_policy of table {table!r} keeps {policy.capacity} rows; at most {capacity} fit "
                         f"(cache_rows, or all rows of the table)")
    return policy

"""A worker's cache of hot rows: which rows are here, how old they are, and which leaves when it is full.

    key     2    5    7    9              find(keys)   where they lie, -1 for those that are not here
    row     ...  ...  ...  ...            touch        they were used: the least recently used row leaves first
    stamp   14   3    14   8              of which step of its server's shard the copy is (see shard.py)
    good    6    2    6    4              the last clock at which it may be read without asking

Pure arrays, no messages; every method takes many keys at once. A batch counts as used at once, its keys in ascending
order: all that is here is found first, then the batch is the youngest, then the oldest beyond the capacity leave.
"""

from __future__ import annotations

import numpy as np

from .dtypes import DTYPES, stored, values_of

NEVER, ALWAYS = -1, 2**62       # of `good`: to be asked about every time; not to be asked about


class RowCache:
    """At most `capacity` rows of dim values, kept as on the server; of its rule's state `slots` times `width` a row.

    width: None is dim.
    """

    def __init__(self, capacity: int, dim: int, slots: int = 0, width: int | None = None, dtype: str = "float32"):
        self.capacity, self.dtype, self._uses = capacity, dtype, 0
        self.keys = np.empty(0, np.int64)                       # ascending
        self._place = np.empty(0, np.int64)                     # of each key, its place in the arrays below
        self.rows = np.empty((capacity, dim), DTYPES[dtype])
        self.state = np.empty((slots, capacity, dim if width is None else width), np.float32)
        self.stamp, self.good, self._used = (np.zeros(capacity, np.int64) for _ in range(3))
        self._free = np.arange(capacity)[::-1]

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, keys: np.ndarray) -> np.ndarray:
        """(n,) places of the keys, -1 where a key is not here; keys (n,) int64."""
        if not self.keys.size:
            return np.full(len(keys), -1)
        at = np.searchsorted(self.keys, keys)
        at[at == len(self.keys)] = 0
        return np.where(self.keys[at] == keys, self._place[at], -1)

    def uses(self, num_keys: int) -> np.ndarray:
        """Moments of use for a batch, younger than all before, in the order of its keys."""
        self._uses += num_keys
        return np.arange(self._uses - num_keys, self._uses)

    def touch(self, places: np.ndarray, used: np.ndarray) -> None:
        self._used[places] = np.maximum(self._used[places], used)

    def reserve(self, keys: np.ndarray) -> None:
        """A pull of these keys begins. Here room is made when its rows land."""

    def put(self, keys: np.ndarray, rows: np.ndarray, state: np.ndarray, stamp: int, good: np.ndarray,
            used: np.ndarray) -> None:
        """Keep rows used at the moments `used`; new keys ascending, rows (n, dim), good (n,). A younger copy stays."""
        places = self.find(keys)
        old = places >= 0
        if old.any():
            fresh = np.flatnonzero(old)[self.stamp[places[old]] <= stamp]
            self._write(places[fresh], rows[fresh], state[:, fresh], stamp, good[fresh])
            keys, rows, state, good, used = keys[~old], rows[~old], state[:, ~old], good[~old], used[~old]
        stay = self._make_room(used)
        keys, rows, state, good, used = keys[stay], rows[stay], state[:, stay], good[stay], used[stay]
        places, self._free = self._free[len(self._free) - len(keys):], self._free[:len(self._free) - len(keys)]
        at = np.searchsorted(self.keys, keys)
        self.keys, self._place = np.insert(self.keys, at, keys), np.insert(self._place, at, places)
        self._used[places] = used
        self._write(places, rows, state, stamp, good)

    def confirm(self, keys: np.ndarray, stamp: int, good: np.ndarray) -> None:
        """The server says that these copies are those of step `stamp`."""
        places = self.find(keys)
        here = np.flatnonzero(places >= 0)
        here = here[self.stamp[places[here]] <= stamp]
        self.stamp[places[here]], self.good[places[here]] = stamp, good[here]

    def step(self, rule, keys: np.ndarray, grads: np.ndarray, t: int) -> None:
        """Take on the copies the step that the server will take on its rows, so that a worker reads its own writes."""
        places = self.find(keys)
        here = np.flatnonzero(places >= 0)
        at = places[here]
        rows, state = values_of(self.rows[at], self.dtype), self.state[:, at]
        rule.step(rows, grads[here], state, t)
        self.rows[at], self.state[:, at] = stored(rows, self.dtype), state

    def doubt(self, keys: np.ndarray) -> None:
        """Ask about these rows before they are read again."""
        places = self.find(keys)
        self.good[places[places >= 0]] = NEVER

    def _write(self, places, rows, state, stamp: int, good) -> None:
        self.rows[places], self.state[:, places] = rows, state
        self.stamp[places], self.good[places] = stamp, good

    def _make_room(self, used: np.ndarray) -> np.ndarray:
        """Rows leave, the longest unused first, until the new ones fit; which of the new ones are to stay (bool)."""
        here, stay = len(self.keys), np.ones(len(used), bool)
        excess = here + len(used) - self.capacity
        if excess > 0:
            ages = np.concatenate([self._used[self._place], used])
            leaving = np.argpartition(ages, excess - 1)[:excess]
            stay[leaving[leaving >= here] - here] = False
            gone = np.zeros(here, bool)
            gone[leaving[leaving < here]] = True
            self._free = np.concatenate([self._free, self._place[gone]])
            self.keys, self._place = self.keys[~gone], self._place[~gone]
        return stay

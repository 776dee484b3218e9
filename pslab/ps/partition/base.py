"""Which server owns a row: what every partition can say.

    bind(R, S) ──> owner(keys)      server of each key
                   split(keys)      [(server, which of the keys)]: one request for each, none empty
                   owned(server)    the keys of a server, ascending (a dense table's: 0 <= key < R)

Keys are 64-bit whole numbers; with num_rows=None a table has no end and any of them may be a key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np


class Partition(ABC):
    """Rows to servers. A partition in a TableConfig is a choice; `bind` makes it one for R rows on S servers.

    contiguous: whether each server's keys are one range, and `split` gives slices. A bound one has num_rows,
    num_servers and `servers`, the numbers of its servers (0..S-1 unless one was taken out).
    """

    contiguous = False
    num_rows: int | None
    num_servers: int | None

    @abstractmethod
    def bind(self, num_rows: int | None, num_servers: int) -> Partition:
        """The same partition, for num_rows rows (None: any 64-bit keys) over num_servers servers."""

    @abstractmethod
    def owner(self, keys: np.ndarray) -> np.ndarray:
        """The server of each key; keys (n,) int64 (or uint64 with the same bits), result (n,) int64."""

    @property
    def servers(self) -> tuple[int, ...]:
        self._check_bound()
        return tuple(range(self.num_servers))

    def split(self, keys: np.ndarray | range) -> list[tuple[int, np.ndarray | slice]]:
        """(server, positions) of every server that owns some of the keys, by server; keys (n,) in any order or a range.

        Positions ascend: a server's keys stay in the order in which they stand. A slice where they are all keys.
        """
        self._check_bound()
        if not len(keys):
            return []
        if len(self.servers) == 1:
            return [(self.servers[0], slice(0, len(keys)))]
        owners = self.owner(as_array(keys))
        # Numbers of 16 bits are sorted by counting: a third of the time of 64.
        order = np.argsort(owners.astype(np.int16) if max(self.servers) < 2**15 else owners, kind="stable")
        in_order = owners[order]
        starts = np.flatnonzero(np.concatenate(([True], in_order[1:] != in_order[:-1])))
        return [(int(in_order[a]), order[a:b]) for a, b in zip(starts, [*starts[1:], len(keys)])]

    def owned(self, server: int) -> np.ndarray | range:
        """The keys of a server, ascending: (n,) int64, or a range where they are contiguous. Dense tables only."""
        self._check_server(server)
        if self.num_rows is None:
            raise ValueError(f"owned({server}) of a table of any 64-bit keys (num_rows=None) has no list; ask owner()")
        pieces = [first + np.flatnonzero(self.owner(np.arange(first, min(first + BLOCK, self.num_rows))) == server)
                  for first in range(0, self.num_rows, BLOCK)]
        return np.concatenate(pieces)

    def _check_server(self, server: int) -> None:
        if server not in self.servers:
            low, high = self.servers[0], self.servers[-1]
            allowed = f"{low}..{high}" if high - low + 1 == len(self.servers) else ", ".join(map(str, self.servers))
            raise ValueError(f"server={server}; allowed: {allowed}")

    def _check_bound(self) -> None:
        if self.num_servers is None:
            raise ValueError(f"this {type(self).__name__} knows no table yet; use bind(num_rows, num_servers)")


BLOCK = 1 << 20         # keys looked at at a time where a whole table is gone through


def as_array(keys: np.ndarray | range) -> np.ndarray:
    return np.arange(keys.start, keys.stop, dtype=np.int64) if isinstance(keys, range) else np.asarray(keys)


def check_table(num_rows: int | None, num_servers: int) -> None:
    """ValueError unless they are a whole number from 1 (or None), and a whole number from 1."""
    for name, value in (("num_rows", num_rows), ("num_servers", num_servers)):
        if name == "num_rows" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name}={value!r}; a whole number from 1 is needed"
                             + (", or None for any 64-bit keys" if name == "num_rows" else ""))

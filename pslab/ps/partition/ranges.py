"""Contiguous pieces of the keys.

    R = 10 rows on S = 3 servers (edges 0 4 7 10, as torch.tensor_split cuts):

        row     0 1 2 3 | 4 5 6 | 7 8 9
        server     0    |   1   |   2        a request for sorted keys is cut into at most S contiguous pieces

A server more moves half of all rows, whatever S is: row x of [0, 1) goes from server ⌊xS⌋ to ⌊x(S + 1)⌋.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from .base import Partition, check_table

_KEYS = 2**63           # keys of a table without end that have a range: 0 <= key < 2^63


@dataclass(frozen=True)
class RangePartition(Partition):
    """S contiguous pieces whose sizes differ by at most one, the larger ones first; S > R leaves servers empty.

    With num_rows=None the key space 0..2^63 - 1 is cut (negative keys go to server 0): even only where keys are spread
    over all of it, as hashes are. Small ids would all meet at server 0; HashPartition spreads them.
    """

    num_rows: int | None = None
    num_servers: int | None = None
    contiguous = True

    def bind(self, num_rows: int | None, num_servers: int) -> RangePartition:
        check_table(num_rows, num_servers)
        return RangePartition(num_rows, num_servers)

    def bounds(self, server: int) -> tuple[int, int]:
        """(first, end) of the rows that server (0..S-1) owns: first <= row < end; first == end when it owns none."""
        self._check_server(server)
        size, larger = divmod(self._size, self.num_servers)
        first = server * size + min(server, larger)
        return first, first + size + (server < larger)

    def edges(self) -> np.ndarray:
        """(S + 1,) int64: server s owns the rows from edges[s] up to, not including, edges[s + 1].

        Without num_rows the last edge is 2^63 - 1, the largest int64, and that key belongs to the last server too.
        """
        self._check_bound()
        edges = [self.bounds(server)[0] for server in range(self.num_servers)]
        return np.array([*edges, min(self._size, _KEYS - 1)], np.int64)

    def owner(self, keys: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._edges[1:-1], keys, side="right")

    def split(self, keys: np.ndarray | range) -> list[tuple[int, slice]]:
        """As Partition.split; keys must be ascending, or a range."""
        if isinstance(keys, range):
            first, stop = keys.start, max(keys.start, keys.stop)
            inside = [min(max(edge, first), stop) - first for edge in self._edges[1:-1].tolist()]
        else:
            inside = np.searchsorted(keys, self._edges[1:-1]).tolist()
        cuts = [0, *inside, len(keys)]
        return [(server, slice(a, b)) for server, (a, b) in enumerate(pairwise(cuts)) if a < b]

    def owned(self, server: int) -> range:
        return range(*self.bounds(server))

    @cached_property
    def _edges(self) -> np.ndarray:
        return self.edges()

    @property
    def _size(self) -> int:
        return _KEYS if self.num_rows is None else self.num_rows

"""Which server owns a row.

    RangePartition, R = 10 rows on S = 3 servers (edges 0 4 7 10, as torch.tensor_split cuts):

        row     0 1 2 3 | 4 5 6 | 7 8 9
        server     0    |   1   |   2        a request for sorted keys is cut into at most S contiguous pieces
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np


class Partition(ABC):
    """Rows to servers. A partition in a TableConfig is a choice; `bind` makes it one for R rows on S servers."""

    @abstractmethod
    def bind(self, num_rows: int, num_servers: int) -> Partition:
        """The same partition, for num_rows rows over num_servers servers."""

    @abstractmethod
    def bounds(self, server: int) -> tuple[int, int]:
        """(first, end) of the rows that server (0..S-1) owns: first <= row < end; first == end when it owns none."""

    @abstractmethod
    def owner(self, keys: np.ndarray) -> np.ndarray:
        """The server of each key; keys (n,) int64 in [0, R), result (n,) int64."""

    @abstractmethod
    def split(self, keys: np.ndarray | range) -> list[tuple[int, slice]]:
        """(server, positions) of every server that owns some of the keys; keys ascending, or a range."""


@dataclass(frozen=True)
class RangePartition(Partition):
    """S contiguous pieces whose sizes differ by at most one, the larger ones first; S > R leaves servers empty."""

    num_rows: int | None = None
    num_servers: int | None = None

    def bind(self, num_rows: int, num_servers: int) -> RangePartition:
        return RangePartition(num_rows, num_servers)

    def bounds(self, server: int) -> tuple[int, int]:
        self._check_bound()
        if not 0 <= server < self.num_servers:
            raise ValueError(f"server={server}; allowed: 0..{self.num_servers - 1}")
        size, larger = divmod(self.num_rows, self.num_servers)
        first = server * size + min(server, larger)
        return first, first + size + (server < larger)

    def edges(self) -> np.ndarray:
        """(S + 1,) int64: server s owns the rows from edges[s] up to, not including, edges[s + 1]."""
        self._check_bound()
        size, larger = divmod(self.num_rows, self.num_servers)
        server = np.arange(self.num_servers + 1, dtype=np.int64)
        return server * size + np.minimum(server, larger)

    def owner(self, keys: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.edges()[1:], keys, side="right")

    def split(self, keys: np.ndarray | range) -> list[tuple[int, slice]]:
        if isinstance(keys, range):
            first, stop = keys.start, max(keys.start, keys.stop)
            cuts = [min(max(edge, first), stop) - first for edge in self._edges.tolist()]
        else:
            cuts = np.searchsorted(keys, self._edges).tolist()
        return [(server, slice(a, b)) for server, (a, b) in enumerate(pairwise(cuts)) if a < b]

    @cached_property
    def _edges(self) -> np.ndarray:
        return self.edges()

    def _check_bound(self) -> None:
        if self.num_rows is None or self.num_servers is None:
            raise ValueError("this RangePartition knows no table yet; use bind(num_rows, num_servers)")

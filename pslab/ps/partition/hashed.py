"""Keys to servers by a hash.

    HashPartition      server = mix(key) mod S          even for any keys; a server more moves S/(S + 1) of them

    ConsistentHash     each server stands at `points` places of a ring of 2^64; a key belongs to the first place
                       at or after its hash. A server more takes over 1/(S + 1), and nothing else moves.

          0 ──B──────A───B─────────C──A──────C─── 2^64 ≅ 0
              <--A-->   <-----C--->                        x between A and B's place ──> B
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..mixing import GOLDEN, mix64
from .base import Partition, check_table


@dataclass(frozen=True)
class HashPartition(Partition):
    """mix(key, seed) mod S: the same in every process and every version of Python. Takes any 64-bit keys."""

    seed: int = 0
    num_rows: int | None = None
    num_servers: int | None = None

    def __post_init__(self):
        _check_seed(self.seed)

    def bind(self, num_rows: int | None, num_servers: int) -> HashPartition:
        check_table(num_rows, num_servers)
        return HashPartition(self.seed, num_rows, num_servers)

    def owner(self, keys: np.ndarray) -> np.ndarray:
        self._check_bound()
        return (hash_keys(keys, self.seed) % np.uint64(self.num_servers)).view(np.int64)


@dataclass(frozen=True)
class ConsistentHash(Partition):
    """A ring on which every server stands `points` times (Karger et al. 1997; "virtual nodes"). Any 64-bit keys.

    The largest share is about (1 + 2.5/√points)/S: at 128 points and 10 servers at most 1.35 times the mean. `without`
    takes one server out and leaves the numbers of the others as they are.
    """

    points: int = 128
    seed: int = 0
    num_rows: int | None = None
    num_servers: int | None = None
    removed: frozenset[int] = frozenset()

    def __post_init__(self):
        _check_seed(self.seed)
        if isinstance(self.points, bool) or not isinstance(self.points, (int, np.integer)) or self.points < 1:
            raise ValueError(f"points={self.points!r}; a whole number from 1 is needed")

    def bind(self, num_rows: int | None, num_servers: int) -> ConsistentHash:
        check_table(num_rows, num_servers)
        return ConsistentHash(self.points, self.seed, num_rows, num_servers)

    def without(self, server: int) -> ConsistentHash:
        """This partition after server `server` has gone: its keys go to the others, no other key moves."""
        self._check_server(server)
        if len(self.servers) == 1:
            raise ValueError(f"server={server} is the only one; its keys would have no owner")
        return ConsistentHash(self.points, self.seed, self.num_rows, self.num_servers, self.removed | {server})

    @cached_property
    def servers(self) -> tuple[int, ...]:
        self._check_bound()
        return tuple(server for server in range(self.num_servers) if server not in self.removed)

    def ring(self) -> tuple[np.ndarray, np.ndarray]:
        """(places (n,) uint64 ascending on the ring of 2^64, the server at each (n,) int64), points a server."""
        places, owners = self._ring
        return places.copy(), owners.copy()

    def place(self, keys: np.ndarray) -> np.ndarray:
        """(n,) uint64: where keys (n,) lie on the ring; a key belongs to the first point at or after its place."""
        return hash_keys(keys, self.seed)

    def owner(self, keys: np.ndarray) -> np.ndarray:
        places, owners = self._ring
        at = np.searchsorted(places, hash_keys(keys, self.seed))
        return owners.take(at, mode="wrap")         # beyond the last place: the first

    @cached_property
    def _ring(self) -> tuple[np.ndarray, np.ndarray]:
        """(places (S·points,) uint64 ascending, the server at each)."""
        owners = np.repeat(np.array(self.servers, np.int64), self.points)
        point = np.tile(np.arange(self.points, dtype=np.uint64), len(self.servers))
        places = hash_keys(owners.astype(np.uint64) << np.uint64(32) | point, ~self.seed)
        order = np.lexsort((owners, places))        # should two meet, the lower number wins, in every process
        return places[order], owners[order]


def hash_keys(keys: np.ndarray, seed: int) -> np.ndarray:
    """(n,) uint64: each key's 64 bits, mixed under a seed. One to one: different keys never meet."""
    start = mix64(np.array([seed & (2**64 - 1)], np.uint64) + np.uint64(GOLDEN))
    keys = np.asarray(keys)
    bits = keys.view(np.uint64) if keys.dtype == np.int64 else keys.astype(np.uint64)
    return mix64(mix64(bits * np.uint64(GOLDEN) + start))


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not -(2**63) <= seed < 2**64:
        raise ValueError(f"seed={seed!r}; a whole number of 64 bits is needed")

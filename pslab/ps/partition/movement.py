"""What must move when servers come or go: the keys whose owner changes, and no other.

    RangePartition, 12 rows, 2 servers to 3          (source, target, keys)

        row    0 1 2 3 4 5 | 6 7 8 9 10 11           0 -> 1   4..5
        old    0 0 0 0 0 0   1 1 1 1 1  1            1 -> 2   8..11
        new    0 0 0 0 1 1   1 1 2 2 2  2

One move for each pair of servers that has any. Of all keys, S servers to S + 1 move: consistent hash 1/(S + 1), which
is what the new server must get; ranges 1/2; hash modulo S/(S + 1), since a hash keeps its server only where its
remainders by S and by S + 1 are equal: S of every S(S + 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .base import BLOCK, Partition


@dataclass(frozen=True, eq=False)
class Move:
    """Server `source` sends the rows `keys` (a range, or (n,) int64 ascending) to server `target`."""

    source: int
    target: int
    keys: range | np.ndarray

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, eq=False)
class MovementPlan:
    """The moves, by (source, target), of a table that holds num_keys keys."""

    moves: tuple[Move, ...]
    num_keys: int

    def __iter__(self) -> Iterator[Move]:
        return iter(self.moves)

    def __len__(self) -> int:
        return len(self.moves)

    @property
    def moved_rows(self) -> int:
        return sum(map(len, self.moves))

    @property
    def moved_fraction(self) -> float:
        return self.moved_rows / self.num_keys if self.num_keys else 0.0

    def leaving(self, server: int) -> list[Move]:
        return [move for move in self.moves if move.source == server]

    def arriving(self, server: int) -> list[Move]:
        return [move for move in self.moves if move.target == server]

    def payload_bytes(self, dim: int, rule=None, bytes_per_value: int = 4) -> int:
        """Bytes of the rows that move, b each value, with their rule's state in float32 (rule: None for rows alone).

        Keys cost nothing: both ends know the plan. (Where keys are any 64-bit numbers they travel, 8 bytes each.)
        """
        state = rule.slots * rule.state_width(dim) if rule is not None else 0
        return self.moved_rows * (dim * bytes_per_value + 4 * state)


def movement_plan(old: Partition, new: Partition, keys=None) -> MovementPlan:
    """The smallest plan that takes rows from where bound partition `old` has them to where `new` wants them.

    Both of the same num_rows; of a table of any 64-bit keys (num_rows=None) give the keys that it holds, distinct.
    """
    for name, partition in (("old", old), ("new", new)):
        if not isinstance(partition, Partition) or partition.num_servers is None:
            raise ValueError(f"{name}={partition!r}; a partition after bind(num_rows, num_servers) is needed")
    if old.num_rows != new.num_rows:
        raise ValueError(f"old has num_rows={old.num_rows}, new {new.num_rows}; the rows of one table are needed")
    if keys is None and old.num_rows is None:
        raise ValueError("keys=None; of a table of any 64-bit keys (num_rows=None) give the keys that it holds")
    if keys is not None:
        keys = np.unique(np.asarray(keys, np.int64))
        return MovementPlan(tuple(_moves(_by_pair([keys], old, new))), len(keys))
    if old.contiguous and new.contiguous:
        return MovementPlan(tuple(_range_moves(old, new)), old.num_rows)
    blocks = (np.arange(first, min(first + BLOCK, old.num_rows)) for first in range(0, old.num_rows, BLOCK))
    return MovementPlan(tuple(_moves(_by_pair(blocks, old, new))), old.num_rows)


def _range_moves(old: Partition, new: Partition) -> Iterator[Move]:
    """Between two neighbouring edges of either partition, both owners stay the same."""
    cuts = np.union1d(old.edges(), new.edges())
    sources, targets = old.owner(cuts[:-1]).tolist(), new.owner(cuts[:-1]).tolist()
    for (first, stop), source, target in zip(pairwise(cuts.tolist()), sources, targets):
        if source != target:
            yield Move(source, target, range(first, stop))


def _by_pair(blocks, old: Partition, new: Partition) -> dict[tuple[int, int], list[np.ndarray]]:
    """Keys that change their owner, in pieces, by (source, target)."""
    pieces: dict[tuple[int, int], list[np.ndarray]] = {}
    for keys in blocks:
        source, target = old.owner(keys), new.owner(keys)
        moved = np.flatnonzero(source != target)
        pairs, which = np.unique(np.stack([source[moved], target[moved]]), axis=1, return_inverse=True)
        order = np.argsort(which.ravel(), kind="stable")
        cuts = np.searchsorted(which.ravel()[order], np.arange(1, pairs.shape[1]))
        for pair, at in zip(pairs.T.tolist(), np.split(moved[order], cuts)):
            pieces.setdefault(tuple(pair), []).append(keys[at])
    return pieces


def _moves(pieces: dict[tuple[int, int], list[np.ndarray]]) -> Iterator[Move]:
    for source, target in sorted(pieces):
        keys = np.concatenate(pieces[source, target])
        first, last = int(keys[0]), int(keys[-1])
        yield Move(source, target, range(first, last + 1) if last - first == len(keys) - 1 else keys)

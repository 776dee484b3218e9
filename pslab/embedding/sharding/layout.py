"""All shards of one width are one long table, cut by rank: a row is found by one number, its key.

    width 4          rank 0                     rank 1
                     user 0..942 │ item 0..840  item 841..1681 │ job 0..20         item is row_wise, user and job
    local rows       0 ..... 942   943 ... 1783  0 ........ 840  841 ... 861       table_wise
    keys             0 ..... 942   943 ... 1783  1784 ... 2624   2625 .. 2645      key = base[rank] + local row
                     base 0                      base 1784

A batch's lookups of all its features become keys; sorted, they are grouped by owner already. Replicas (data_parallel)
are groups of their own, whose keys are local rows on every rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from pslab.ps import Init

from ..config import EmbeddingBagConfig
from ..fused import fuse
from .plan import MOST_ROWS, Places, Shard, Sharding, check_plan

_DRAWN = 1 << 14


@dataclass
class Slot:
    """What one feature looks up in one group: the columns that begin at `column` of the output."""

    feature: str
    table: EmbeddingBagConfig
    column: int
    pieces: Pieces


@dataclass
class Part:
    """A shard as it lies in its owner's store: local rows first .. first + num_rows - 1."""

    table: EmbeddingBagConfig
    shard: Shard
    places: Places
    first: int

    def draw(self, rows: torch.Tensor, init: Init, fused: str, keys: range) -> None:
        """Write the first values of this shard's rows into (num_rows, dim), some at a time."""
        (first, last), (lo, hi) = self.shard.rows, self.shard.columns
        for start in range(first, last, _DRAWN):
            places = np.arange(start, min(start + _DRAWN, last))
            drawn = init.rows(self.places.ids(places) + keys.start, self.table.embedding_dim, fused)
            rows[start - first:start - first + len(places)] = torch.from_numpy(drawn[:, lo:hi])

    def ids(self) -> np.ndarray:
        """(num_rows,) int64: the ids of the local rows, in their order."""
        return self.places.ids(np.arange(*self.shard.rows))


@dataclass
class Group:
    """The shards of one width. base (K + 1,) int64: the first key of each rank."""

    dim: int
    world_size: int
    replica: str | None = None                             # None, or how the replicas' gradients are joined
    slots: list[Slot] = field(default_factory=list)
    parts: dict[int, list[Part]] = field(default_factory=dict)
    base: torch.Tensor | None = None
    whole: bool = False                                    # whether its slots are all of the output, in order

    @property
    def num_keys(self) -> int:
        """Rows of all ranks; of one replica."""
        return int(self.base[-1])

    def num_rows(self, rank: int) -> int:
        """Rows in the store of one rank."""
        return sum(part.shard.num_rows for part in self.parts.get(rank, ()))


class Pieces:
    """The keys of a table's rows: those of places bounds[i] ≤ place < bounds[i + 1] are place + shift[i]."""

    def __init__(self, places: Places, bounds: list[int], shifts: list[int]):
        self.places, self.shift = places, shifts[0]
        self.bounds = torch.tensor(bounds[1:], dtype=torch.int64) if len(bounds) > 1 else None
        self.shifts = torch.tensor(shifts, dtype=torch.int64)

    def keys(self, ids: torch.Tensor) -> torch.Tensor:
        """(n,) int64 of ids (n,) int64."""
        places = self.places.place(ids)
        if self.bounds is None:
            return places + self.shift
        return places + self.shifts[torch.bucketize(places, self.bounds, right=True)]


def groups_of(tables: Sequence[EmbeddingBagConfig], plan: Mapping[str, Sharding], world_size: int) -> list[Group]:
    """The groups of a plan, in an order that is the same on every rank; ValueError for what check_plan refuses."""
    shards = check_plan(tables, plan, world_size)
    groups: dict[tuple, Group] = {}
    placed: dict[tuple, list[list[Part]]] = {}             # by (group, table): its columns' parts, each a list of rows
    for table in tables:
        sharding = plan[table.name]
        replica = sharding.gradient if sharding.kind == "data_parallel" else None
        places = Places(table.num_embeddings, sharding.by)
        by_columns: dict[tuple, list[Part]] = {}
        for shard in shards[table.name]:
            group = groups.setdefault((shard.dim, replica), Group(shard.dim, world_size, replica))
            part = Part(table, shard, places, group.num_rows(shard.rank))
            group.parts.setdefault(shard.rank, []).append(part)
            by_columns.setdefault(shard.columns, []).append(part)
        placed[table.name] = list(by_columns.values())
    for group in groups.values():
        _number(group)
    column = 0
    for table in tables:
        replica = plan[table.name].gradient if plan[table.name].kind == "data_parallel" else None
        for feature in table.feature_names:
            for parts in placed[table.name]:
                group = groups[parts[0].shard.dim, replica]
                group.slots.append(Slot(feature, table, column + parts[0].shard.columns[0], _pieces(group, parts)))
            column += table.embedding_dim
    for group in groups.values():
        starts = [slot.column for slot in group.slots]
        group.whole = starts == list(range(0, column, group.dim))
    return list(groups.values())


def fused_keys(tables: Sequence[EmbeddingBagConfig]) -> dict[str, tuple[str, range]]:
    """{table: (name of its fused table, its keys there)}: by what its rows' first values are drawn."""
    return {table.name: (fused.name, fused.keys(table.name)) for fused in fuse(tables) for table in fused.tables}


def _number(group: Group) -> None:
    counts = [group.num_rows(rank) for rank in range(group.world_size)]
    for rank, count in enumerate(counts):
        if count > MOST_ROWS:
            raise ValueError(f"plan gives rank {rank} {count:,} rows of {group.dim} columns; {MOST_ROWS:,} is the most")
    if group.replica is not None:
        counts = counts[:1]                                # keys are local rows, the same on every rank
    group.base = torch.tensor([0, *np.cumsum(counts).tolist()], dtype=torch.int64)


def _pieces(group: Group, parts: list[Part]) -> Pieces:
    if group.replica is not None:
        parts = parts[:1]
    parts = sorted((part for part in parts if part.shard.num_rows), key=lambda part: part.shard.rows)
    shifts = [int(group.base[part.shard.rank]) + part.first - part.shard.rows[0] for part in parts]
    return Pieces(parts[0].places, [part.shard.rows[0] for part in parts], shifts)

"""Which rank holds which rows and columns of a table: the five kinds of sharding.

             table_wise      row_wise            column_wise        table_row_wise            data_parallel
             ┌──────────┐    ┌──────────┐        ┌────┬────┐        ┌──────────┐ rank 2       ┌──────────┐
             │          │    │  rank 0  │        │ r. │ r. │        │          │   (a rack:   │ all of it│ on every
             │  rank 0  │    ├──────────┤        │ 0  │ 1  │        ├──────────┤    ranks     │          │ rank
             │          │    │  rank 1  │        │    │    │        │          │    2 and 3)  │          │
             └──────────┘    └──────────┘        └────┴────┘        └──────────┘ rank 3       └──────────┘

Rows are cut in ranges (as torch.tensor_split) of their ids, or "by hash": of the places that a golden-ratio step gives
them. place(id) = a·id mod R, with a next to R/φ and without a common divisor with R, is a permutation (Knuth, The Art
of Computer Programming 3, section 6.4): an owner needs no table to find a row, no two ids share a place, and ids that
are neighbours, as the hot ones of a table sorted by frequency, lie on different ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np

from ..config import EmbeddingBagConfig

KINDS = ("table_wise", "row_wise", "column_wise", "table_row_wise", "data_parallel")
BY = ("range", "hash")
GRADIENTS = ("dense", "sparse")
MOST_ROWS = 2**31 - 1                  # of one rank and one dimension: row numbers travel as int32
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Sharding:
    """How one table is placed.

    kind      table_wise: one rank has all of it. row_wise: each of the ranks has a range of rows. column_wise: each has
              all rows of embedding_dim / len(ranks) columns. table_row_wise: row_wise over the ranks of one rack or
              host, which must be named: each of them answers for itself, so of a bag whose rows lie on m of them m sums
              travel (dedup=False), not one that the rack has added up. data_parallel: every rank has a replica
    ranks     the owners, in order; a single number will do for table_wise. None: all ranks (table_wise: rank 0)
    by        row kinds: "range" of the ids, or of their "hash"
    rows      row kinds by range: ((lo, hi), …), the rows lo ≤ id < hi of each of the ranks; None: equal ones
    gradient  data_parallel: the replicas' gradients are joined "dense" (an all-reduce of R·(D + 1) numbers:
              2(K−1)/K·4·R·(D + 1) bytes a port) or "sparse" (an all-gather of each rank's n distinct rows: (K−1)·n·
              (4 + 4·D) bytes, n the mean over ranks): better where n is below 2/K of R
    """

    kind: str
    ranks: Sequence[int] | int | None = None
    by: str = "range"
    rows: Sequence[tuple[int, int]] | None = None
    gradient: str = "dense"

    def __post_init__(self):
        for argument, allowed in (("kind", KINDS), ("by", BY), ("gradient", GRADIENTS)):
            if getattr(self, argument) not in allowed:
                raise ValueError(f"{argument}={getattr(self, argument)!r}; allowed: {', '.join(allowed)}")
        if self.ranks is not None:
            ranks = (self.ranks,) if isinstance(self.ranks, (int, np.integer)) else tuple(self.ranks)
            object.__setattr__(self, "ranks", ranks)
        if self.rows is not None:
            object.__setattr__(self, "rows", tuple((int(lo), int(hi)) for lo, hi in self.rows))
        by_rows = self.kind in ("row_wise", "table_row_wise")
        if self.by != "range" and not by_rows:
            raise ValueError(f"by={self.by!r} cuts rows; kind={self.kind!r} does not")
        if self.rows is not None and (not by_rows or self.by != "range"):
            raise ValueError(f"rows={self.rows!r} belong to kind='row_wise' or 'table_row_wise' by='range', "
                             f"not to kind={self.kind!r} by={self.by!r}")
        if self.gradient != "dense" and self.kind != "data_parallel":
            raise ValueError(f"gradient={self.gradient!r} belongs to kind='data_parallel', not to {self.kind!r}")

    def __str__(self) -> str:
        ranks = "all ranks" if self.ranks is None else f"ranks {','.join(map(str, self.ranks))}"
        return f"{self.kind}{' by hash' if self.by == 'hash' else ''} on {ranks}"


@dataclass(frozen=True)
class Shard:
    """Part of a table on one rank: places lo ≤ place < hi (rows) and columns of each."""

    rank: int
    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def num_rows(self) -> int:
        return self.rows[1] - self.rows[0]

    @property
    def dim(self) -> int:
        return self.columns[1] - self.columns[0]


def shards_of(table: EmbeddingBagConfig, sharding: Sharding, world_size: int) -> list[Shard]:
    """The shards of a table over `world_size` ranks; together they hold every row and column once.

    data_parallel: one shard for each rank, each all of the table. ValueError, naming the table, for ranks that are not
    there or stand twice, for rows held twice or by nobody, and for columns that cannot be divided.
    """
    R, D, name = table.num_embeddings, table.embedding_dim, table.name
    ranks = _ranks(name, sharding, world_size)
    if sharding.kind == "data_parallel":
        return [Shard(rank, (0, R), (0, D)) for rank in ranks]
    if sharding.kind == "table_wise":
        return [Shard(ranks[0], (0, R), (0, D))]
    if sharding.kind == "column_wise":
        if D % len(ranks):
            raise ValueError(f"embedding_dim={D} of table {name!r} cannot be cut into {len(ranks)} equal parts; "
                             f"column_wise needs a number of ranks that divides it")
        width = D // len(ranks)
        return [Shard(rank, (0, R), (i * width, (i + 1) * width)) for i, rank in enumerate(ranks)]
    ranges = equal_ranges(R, len(ranks)) if sharding.rows is None else _checked_ranges(name, sharding, ranks, R)
    return [Shard(rank, rows, (0, D)) for rank, rows in zip(ranks, ranges)]


def equal_ranges(num_rows: int, parts: int) -> list[tuple[int, int]]:
    """Ranges that cover 0..num_rows, sizes as torch.tensor_split: the first num_rows mod parts are one row longer."""
    short, longer = divmod(num_rows, parts)
    starts = [i * short + min(i, longer) for i in range(parts + 1)]
    return list(zip(starts, starts[1:]))


class Places:
    """Where the rows of a table stand in the order that is cut: `place(ids)` and back, `ids(places)`, (n,) int64."""

    def __init__(self, num_rows: int, by: str):
        self.num_rows, self.by, self.step, self.back = num_rows, by, 1, 1
        if by == "hash":
            if num_rows > 3 * 10**9:
                raise ValueError(f"num_embeddings={num_rows}; by='hash' is for up to 3,000,000,000 rows")
            self.step = _coprime(num_rows)
            self.back = pow(self.step, -1, num_rows) if num_rows > 1 else 0

    def place(self, ids):
        return ids if self.step == 1 else ids * self.step % self.num_rows

    def ids(self, places):
        return places if self.step == 1 else places * self.back % self.num_rows


def check_plan(tables: Sequence[EmbeddingBagConfig], plan: Mapping[str, Sharding], world_size: int) -> dict:
    """{table: its shards}, or ValueError when a table is without a Sharding, or a Sharding without a table."""
    if not isinstance(plan, Mapping):
        raise ValueError(f"plan={plan!r}; a Plan or a dict of table names and Shardings is needed")
    names = [table.name for table in tables]
    for name in plan:
        if name not in names:
            raise ValueError(f"plan names table {name!r}; there are {', '.join(names)}")
    shards = {}
    for table in tables:
        sharding = plan.get(table.name)
        if not isinstance(sharding, Sharding):
            raise ValueError(f"plan has {sharding!r} for table {table.name!r}; a Sharding is needed")
        shards[table.name] = shards_of(table, sharding, world_size)
    return shards


def lookups_per_owner(table: EmbeddingBagConfig, sharding: Sharding, ids, world_size: int) -> np.ndarray:
    """How many of the lookups `ids` (n,) each rank serves: (world_size,) int64. The skew is its maximum over its mean.

    What goes to one row goes to one rank: with column_wise every owner serves every lookup, and with data_parallel
    none does, as each rank looks into its own replica.

        16 rows, 2 ranks, ids 0 1 2 3 (the hot ones):  by range [4, 0], by hash [2, 2]
    """
    ids = np.asarray(ids, np.int64)
    if ids.size and not 0 <= ids.min() <= ids.max() < table.num_embeddings:
        raise ValueError(f"ids hold {ids.min()}..{ids.max()}; table {table.name!r} has rows "
                         f"0..{table.num_embeddings - 1}")
    counts = np.zeros(world_size, np.int64)
    if sharding.kind == "data_parallel":
        return counts
    places = Places(table.num_embeddings, sharding.by).place(ids)
    for shard in shards_of(table, sharding, world_size):
        counts[shard.rank] += int(((places >= shard.rows[0]) & (places < shard.rows[1])).sum())
    return counts


def _ranks(name: str, sharding: Sharding, world_size: int) -> tuple[int, ...]:
    everyone = tuple(range(world_size))
    kind, ranks = sharding.kind, sharding.ranks
    if ranks is None:
        if kind == "table_row_wise":
            raise ValueError(f"ranks=None for table {name!r}; table_row_wise needs the ranks of one rack")
        return everyone[:1] if kind == "table_wise" else everyone
    for rank in ranks:
        if isinstance(rank, bool) or not isinstance(rank, (int, np.integer)) or not 0 <= rank < world_size:
            raise ValueError(f"ranks={list(ranks)} of table {name!r} hold {rank!r}; this group has ranks "
                             f"0..{world_size - 1}")
        if ranks.count(rank) > 1:
            raise ValueError(f"ranks={list(ranks)} of table {name!r} hold rank {rank} more than once; one shard of a "
                             f"table per rank")
    if not ranks or (kind == "table_wise" and len(ranks) > 1):
        raise ValueError(f"ranks={list(ranks)} of table {name!r}; {kind} needs "
                         f"{'exactly one rank' if kind == 'table_wise' else 'at least one rank'}")
    if kind == "data_parallel" and set(ranks) != set(everyone):
        raise ValueError(f"ranks={list(ranks)} of table {name!r}; data_parallel keeps a replica on every rank, "
                         f"0..{world_size - 1}: leave ranks out")
    return ranks


def _checked_ranges(name: str, sharding: Sharding, ranks: tuple[int, ...], num_rows: int) -> list[tuple[int, int]]:
    if len(sharding.rows) != len(ranks):
        raise ValueError(f"rows={list(sharding.rows)} of table {name!r} are {len(sharding.rows)} ranges for "
                         f"{len(ranks)} ranks")
    covered, before = 0, None
    for (lo, hi), rank in sorted(zip(sharding.rows, ranks)):
        if not 0 <= lo <= hi <= num_rows:
            raise ValueError(f"rows=({lo}, {hi}) of rank {rank}, table {name!r}; 0 <= lo <= hi <= {num_rows} is needed")
        if lo == hi:
            continue
        if lo < covered:
            raise ValueError(f"row {lo} of table {name!r} is in the shards of rank {before} and of rank {rank}; "
                             f"one owner is needed")
        if lo > covered:
            raise ValueError(f"row {covered} of table {name!r} is in no rank's shard")
        covered, before = hi, rank
    if covered < num_rows:
        raise ValueError(f"row {covered} of table {name!r} is in no rank's shard")
    return list(sharding.rows)


def _coprime(num_rows: int) -> int:
    """The number nearest to num_rows / φ that has no divisor in common with num_rows."""
    middle = max(1, round(num_rows * _GOLDEN))
    for away in range(num_rows):
        for step in (middle + away, middle - away):
            if step > 0 and gcd(step, num_rows) == 1:
                return step % num_rows or 1
    return 1

"""Tables of one dimension fused into one, so that a step asks each server once and not once per table.

    user  (943 rows, D = 16)  ──>  keys    0 ..  942  ┐
    item (1682 rows, D = 16)  ──>  keys  943 .. 2624  ├ "embedding_d16": 2646 rows of 16
    job    (21 rows, D = 16)  ──>  keys 2625 .. 2645  ┘

The key of a row is its table's first key plus its id. First values are drawn from (seed, table, key) alone, so that a
local copy of a table and the servers' part of it agree without asking each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pslab.ps import BSP, Consistency, Init, Rule, TableConfig, Uniform

from .config import EmbeddingBagConfig, check_tables

DEFAULT_INIT_SCALE = 0.1


@dataclass(frozen=True)
class FusedTable:
    """All tables of one dimension: `name` and `num_rows` of the joint table, `first_key` of each part."""

    name: str
    dim: int
    num_rows: int
    tables: tuple[EmbeddingBagConfig, ...]
    first_key: tuple[int, ...]

    def keys(self, table: str) -> range:
        """The keys of one part's rows."""
        names = [part.name for part in self.tables]
        place = names.index(table)
        return range(self.first_key[place], self.first_key[place] + self.tables[place].num_embeddings)


def fuse(tables: Sequence[EmbeddingBagConfig], pooled: bool = True) -> list[FusedTable]:
    """One FusedTable per embedding_dim, in the order in which dimensions first occur.

    pooled: whether the tables' rows are joined by bags (see check_tables).
    """
    by_dim: dict[int, list[EmbeddingBagConfig]] = {}
    for table in check_tables(tables, pooled):
        by_dim.setdefault(table.embedding_dim, []).append(table)
    fused = []
    for dim, parts in by_dim.items():
        first, firsts = 0, []
        for part in parts:
            firsts.append(first)
            first += part.num_embeddings
        fused.append(FusedTable(f"embedding_d{dim}", dim, first, tuple(parts), tuple(firsts)))
    return fused


def table_configs(tables: Sequence[EmbeddingBagConfig], rule: Rule, *, seed: int = 0, init: Init | None = None,
                  consistency: Consistency | None = None) -> list[TableConfig]:
    """What servers and workers need to know of the fused tables; `rule` updates their rows.

    init: by default the uniform draw that a local EmbeddingBagCollection of the same `seed` begins with.
    """
    init = default_init(seed) if init is None else init
    consistency = BSP() if consistency is None else consistency
    return [TableConfig(fused.name, fused.dim, fused.num_rows, rule, consistency, init=init) for fused in fuse(tables)]


def default_init(seed: int) -> Init:
    """Uniform in ±DEFAULT_INIT_SCALE."""
    return Uniform(DEFAULT_INIT_SCALE, seed)

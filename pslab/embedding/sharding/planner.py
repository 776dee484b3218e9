"""plan_tables: which table goes where, so that it fits and no rank's port carries much more than the others'.

    memory    of a row of D: 4·(D + slots·width) bytes, the rule's state counted (AdaGrad's is as large as the row)
    cost      of a table: bytes through a rank's port, both ways, in one step of K ranks that look up B bags of L ids

With n = B·L lookups of a rank in a table (an upper bound: what repeats travels once), u = 4 + 8·D bytes for each (the
id, the row and its gradient), and a port counting what goes out and what comes in:

    table_wise       owner (K−1)·n·u                     every other rank  n·u
    row_wise         2·(K−1)/K·n·u on every rank
    column_wise      as row_wise, but every owner is sent all ids: u = 4·K + 8·D
    table_row_wise   the k ranks of the rack (K−1)/k·n·u, and (k−1)/k·n·u as requesters; the others n·u
    data_parallel    2·2·(K−1)/K·4·R·(D + 1), the all-reduce of its gradient, on every rank

Greedy: the costliest tables first (and, as a second try, the largest first), each where the busiest port stays least
busy; of equals the first in the order table_wise, row_wise, column_wise, table_row_wise, data_parallel. Graham (1969)
bounds what the costliest-first order loses, where only whole tables are placed, by a third.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pslab.ps import Rule

from ..config import EmbeddingBagConfig, check_tables
from .plan import KINDS, Shard, Sharding, shards_of

_ORDER = ("table_wise", "row_wise", "column_wise", "table_row_wise", "data_parallel")


class Plan(dict):
    """{table name: Sharding}; str() is a table of it. memory_bytes, port_bytes: of each rank, of one step."""

    def __init__(self, shardings: Mapping[str, Sharding], tables, world_size: int, memory_bytes, port_bytes, capacity):
        super().__init__(shardings)
        self.tables, self.world_size, self.capacity_bytes = list(tables), world_size, capacity
        self.memory_bytes, self.port_bytes = list(memory_bytes), list(port_bytes)

    def __str__(self) -> str:
        head = ("table", "rows", "dim", "kind", "by", "ranks", "rows x columns of a rank")
        lines = [head]
        for table in self.tables:
            sharding = self[table.name]
            shards = shards_of(table, sharding, self.world_size)
            most = max(shards, key=lambda shard: shard.num_rows)
            lines.append((table.name, f"{table.num_embeddings:,}", str(table.embedding_dim), sharding.kind,
                          sharding.by if sharding.kind.endswith("row_wise") else "",
                          ",".join(str(shard.rank) for shard in shards), f"{most.num_rows:,} x {most.dim}"))
        ranks = [("rank", "memory", "of", "per step")]
        for rank in range(self.world_size):
            limit = "no limit" if self.capacity_bytes is None else _size(self.capacity_bytes[rank])
            ranks.append((str(rank), _size(self.memory_bytes[rank]), limit, _size(self.port_bytes[rank])))
        return "\n".join([*_columns(lines), "", *_columns(ranks)])


def plan_tables(tables: Sequence[EmbeddingBagConfig], world_size: int, rule: Rule | None = None, *,
                capacity_bytes: int | Sequence[int] | None = None, batch: int = 2048,
                lookups_per_bag: float | Mapping[str, float] = 1.0, kinds: Sequence[str] = KINDS, by: str = "hash",
                racks: Sequence[Sequence[int]] = ()) -> Plan:
    """A plan that fits, with the busiest port as little busy as the greedy search finds.

    capacity_bytes    of each rank, one number for all or one a rank; None: no limit
    batch             B, bags of a rank and feature in a step; lookups_per_bag: L, for all or by table name
    kinds             what may be used; table_row_wise only with racks, the ranks of each rack; by: how rows are cut
    rule              its state is counted; None: none

    ValueError naming the first table for which there is no room left.
    """
    tables, racks = check_tables(tables), [tuple(rack) for rack in racks]
    capacity = _capacities(capacity_bytes, world_size)
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"kinds={list(kinds)} hold {kind!r}; allowed: {', '.join(KINDS)}")
    lookups = {}
    for table in tables:
        per_bag = lookups_per_bag.get(table.name, 1.0) if isinstance(lookups_per_bag, Mapping) else lookups_per_bag
        lookups[table.name] = batch * per_bag * len(table.feature_names)
    candidates = {table.name: [(sharding, _memory(table, sharding, world_size, rule),
                                _ports(table, sharding, world_size, lookups[table.name]))
                               for sharding in _candidates(table, kinds, by, world_size, racks)] for table in tables}
    orders = (lambda table: -min(max(ports) for _, _, ports in candidates[table.name]),
              lambda table: -table_bytes(table, rule))
    for table in tables:
        if not candidates[table.name]:
            raise ValueError(f"table {table.name!r} can be placed by none of kinds={list(kinds)}")
    plans, refused = [], None
    for order in orders:
        try:
            plans.append(_greedy(sorted(tables, key=order), candidates, tables, world_size, capacity, rule))
        except ValueError as error:
            refused = error
    if not plans:
        raise refused
    return min(plans, key=lambda plan: (max(plan.port_bytes), sum(plan.port_bytes)))


def table_bytes(table: EmbeddingBagConfig, rule: Rule | None) -> int:
    """Bytes of a table's rows and of the rule's state beside them."""
    return shard_bytes(table.num_embeddings, table.embedding_dim, rule)


def shard_bytes(num_rows: int, dim: int, rule: Rule | None) -> int:
    """4·rows·(dim + slots·width): rows and the rule's state."""
    state = 0 if rule is None else rule.slots * rule.state_width(dim)
    return 4 * num_rows * (dim + state)


def _greedy(order, candidates, tables, world_size: int, capacity, rule) -> Plan:
    memory, ports = [0] * world_size, [0.0] * world_size
    chosen = {}
    for table in order:
        best = None
        for sharding, needs, port in candidates[table.name]:
            if capacity is not None and any(memory[r] + needs[r] > capacity[r] for r in range(world_size)):
                continue
            after = [have + more for have, more in zip(ports, port)]
            rank = (max(after), sum(after))
            if best is None or rank < best[0]:
                best = (rank, sharding, needs, after)
        if best is None:
            free = ", ".join(f"rank {r}: {_size(capacity[r] - memory[r])}" for r in range(world_size))
            raise ValueError(f"table {table.name!r} of {table.num_embeddings:,} x {table.embedding_dim} needs "
                             f"{_size(table_bytes(table, rule))} with the rule's state and fits nowhere; left are "
                             f"{free}. More ranks, more capacity_bytes or a rule with less state is needed")
        _, chosen[table.name], needs, ports = best
        memory = [have + more for have, more in zip(memory, needs)]
    return Plan({table.name: chosen[table.name] for table in tables}, tables, world_size, memory,
                [round(port) for port in ports], capacity)


def _candidates(table: EmbeddingBagConfig, kinds, by: str, world_size: int, racks) -> list[Sharding]:
    every = []
    for kind in (kind for kind in _ORDER if kind in kinds):
        if kind == "table_wise":
            every += [Sharding(kind, rank) for rank in range(world_size)]
        elif kind == "row_wise" and world_size > 1:
            every.append(Sharding(kind, by=by))
        elif kind == "column_wise" and world_size > 1 and table.embedding_dim % world_size == 0:
            every.append(Sharding(kind))
        elif kind == "table_row_wise":
            every += [Sharding(kind, rack, by=by) for rack in racks]
        elif kind == "data_parallel":
            every.append(Sharding(kind))
    return every


def _memory(table: EmbeddingBagConfig, sharding: Sharding, world_size: int, rule) -> list[int]:
    needs = [0] * world_size
    for shard in shards_of(table, sharding, world_size):
        needs[shard.rank] += shard_bytes(shard.num_rows, shard.dim, rule)
    return needs


def _ports(table: EmbeddingBagConfig, sharding: Sharding, world_size: int, n: float) -> list[float]:
    """Bytes through the port of each rank in one step, both ways, for n lookups of each rank."""
    K, R, D = world_size, table.num_embeddings, table.embedding_dim
    if sharding.kind == "data_parallel":
        return [2 * 2 * (K - 1) / K * 4 * R * (D + 1)] * K
    ports = [0.0] * K
    for shard in shards_of(table, sharding, K):
        traffic = _share(shard, table) * n * (4 + 8 * shard.dim)           # of one requester with this owner
        for rank in range(K):
            ports[rank] += (K - 1) * traffic if rank == shard.rank else traffic
    return ports


def _share(shard: Shard, table: EmbeddingBagConfig) -> float:
    return shard.num_rows / table.num_embeddings


def _capacities(capacity, world_size: int) -> list[int] | None:
    if isinstance(world_size, bool) or not isinstance(world_size, int) or world_size < 1:
        raise ValueError(f"world_size={world_size!r}; 1 or more ranks are needed")
    if capacity is None:
        return None
    each = [capacity] * world_size if isinstance(capacity, (int, float)) else list(capacity)
    if len(each) != world_size or any(size < 0 for size in each):
        raise ValueError(f"capacity_bytes={capacity!r}; one number of bytes, or {world_size} of them, is needed")
    return each


def _size(size: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} B"


def _columns(lines: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]

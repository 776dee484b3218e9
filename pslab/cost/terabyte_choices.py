"""Two decisions by formula: what a change does to the two budgets (exercise 11.7.1), replicate or shard (11.7.3).

    M_table = R·row bytes          M_comm = (1 − h)·B·L·D·b_wire          a link: host to host, M_comm / S²

The model, stated because the exercise's answers hang on it. S hosts own an even share of the table and are the workers
too. Every lookup that the worker's own cache does not answer fetches its row (no de-duplication), so M_comm counts the
fetches of all workers, also the 1/S of them that stay at home; the S² ordered pairs of hosts share them evenly. Rows at
rest and rows on the wire are separate choices: a table kept in int4 whose rows are unpacked before they leave moves the
bytes that it moved before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

from .ports import check_count
from .terabyte import KINDS, all_to_all_bytes, row_bytes

SYNCS = ("none", "dense", "sparse")


@dataclass(frozen=True)
class EmbeddingSpec:
    """A table and the step that reads it; the defaults are those of code 11.7.1 without a cache.

    at_rest, on_wire: "fp32", "fp16", "int8" or "int4", with the bytes of row_bytes(dim, kind). state_floats: of the
    optimizer, a row. hit_rate: of the cache at the worker. owner_cache_rows: hot rows in the owner's fast memory.
    """

    rows: int = 2_000_000_000
    dim: int = 128
    hosts: int = 16
    batch: int = 65536
    lookups: int = 40
    hit_rate: float = 0.0
    at_rest: str = "fp32"
    on_wire: str = "fp32"
    state_floats: float = 0
    owner_cache_rows: int = 0

    def __post_init__(self):
        for argument, low in (("rows", 1), ("dim", 1), ("hosts", 1), ("batch", 1), ("lookups", 1),
                              ("owner_cache_rows", 0)):
            check_count(argument, getattr(self, argument), low)
        for argument in ("at_rest", "on_wire"):
            row_bytes(self.dim, _kind(argument, getattr(self, argument)))
        if not self.state_floats >= 0:
            raise ValueError(f"state_floats={self.state_floats!r}; a number from 0 is needed")
        if isinstance(self.hit_rate, bool) or not 0 <= self.hit_rate <= 1:
            raise ValueError(f"hit_rate={self.hit_rate!r}; a share from 0 to 1 is needed")

    @property
    def table_bytes(self) -> float:
        """M_table: what all hosts hold together."""
        return self.rows * (row_bytes(self.dim, self.at_rest) + 4 * self.state_floats)

    @property
    def comm_bytes(self) -> float:
        """M_comm: rows to the workers in a step, one way."""
        wire = row_bytes(self.dim, self.on_wire)
        return all_to_all_bytes(self.batch, self.lookups, 1, wire, self.hit_rate)

    @property
    def remote_bytes(self) -> float:
        """Of M_comm, what leaves a host: (S − 1)/S of it."""
        return self.comm_bytes * (self.hosts - 1) / self.hosts

    @property
    def link_bytes(self) -> float:
        """Through the busiest link, one host to one other: M_comm / S²; 0 with a single host."""
        return self.comm_bytes / self.hosts ** 2 if self.hosts > 1 else 0.0

    @property
    def port_bytes(self) -> float:
        """Into (or out of) the busiest host: S − 1 such links."""
        return self.link_bytes * (self.hosts - 1)


class Effect(NamedTuple):
    """New over old: of M_table, of M_comm, of the busiest link's bytes."""

    table: float
    comm: float
    link: float


CHANGES = ("at rest", "on the wire", "hit rate", "owner cache", "hosts", "buckets", "quotient-remainder", "state")


def changed(change: tuple, spec: EmbeddingSpec) -> EmbeddingSpec:
    """The spec after a change (what, value):

    ("at rest", "int4")            stored rows; what travels is as it was
    ("on the wire", "int8")        rows travel in it; what is stored is as it was
    ("hit rate", 0.85)             a cache at the worker that answers this share of the lookups
    ("owner cache", 5000)          hot rows in the owner's fast memory: saves its RAM and disk reads, no byte of either
    ("hosts", 32)                  S
    ("buckets", 10_000_000)        ids hashed into so many shared rows
    ("quotient-remainder", m)      two tables of m and ⌈R/m⌉ rows; each lookup fetches a row of both: L doubles
    ("state", 256)                 floats of optimizer state a row
    """
    if not isinstance(change, (tuple, list)) or len(change) != 2 or change[0] not in CHANGES:
        raise ValueError(f"change={change!r}; (what, value) with one of {', '.join(map(repr, CHANGES))} is needed")
    what, value = change
    if what == "quotient-remainder":
        check_count("change", value, 1)
        return replace(spec, rows=value + ceil(spec.rows / value), lookups=2 * spec.lookups)
    if what in ("at rest", "on the wire"):
        _kind("change", value)
    field = {"at rest": "at_rest", "on the wire": "on_wire", "hit rate": "hit_rate", "owner cache": "owner_cache_rows",
             "hosts": "hosts", "buckets": "rows", "state": "state_floats"}[what]
    return replace(spec, **{field: value})


def effect(change: tuple, spec: EmbeddingSpec | Mapping | None = None) -> Effect:
    """What a change does to the memory, to the step's bytes and to the busiest link: exercise 11.7.1.

    >>> effect(("at rest", "int4"))             # (a): memory alone, and by 7.5 with the scales, not by 8
    Effect(table=0.1328125, comm=1.0, link=1.0)

    (b) a larger cache: M_comm alone. (c) more hosts: neither, and less on each link. (d) hashing: memory alone; with
    two look-ups a sample, M_comm doubles. Of spec, what is not given is as in code 11.7.1.
    """
    before = spec if isinstance(spec, EmbeddingSpec) else EmbeddingSpec(**(spec or {}))
    after = changed(change, before)
    return Effect(*(_ratio(getattr(after, name), getattr(before, name))
                    for name in ("table_bytes", "comm_bytes", "link_bytes")))


@dataclass(frozen=True)
class ReplicaSpec:
    """A table of R rows that could lie sharded over K workers, or whole on each: exercise 11.7.3.

    sync: how replicas stay equal. "none": nobody writes; "dense": a ring all-reduce of the whole table's gradient, in
    float32; "sparse": an all-gather of each worker's `unique` rows, gradient float32 and an 8-byte id. updates: steps
    between two of these. steps: over which the broadcast at the beginning is spread. memory_bytes: of one worker.
    train: whether gradients go back to the shards (a row each way, the cache spares only the fetch).
    """

    rows: int = 2_000_000
    dim: int = 128
    workers: int = 16
    batch: int = 65536
    lookups: int = 40
    hit_rate: float = 0.0
    at_rest: str = "int8"
    on_wire: str = "fp32"
    sync: str = "sparse"
    unique: int = 29_400
    updates: int = 1
    steps: int = 1_000_000
    memory_bytes: float = 80e9
    train: bool = True

    def __post_init__(self):
        for argument, low in (("rows", 1), ("dim", 1), ("workers", 1), ("batch", 1), ("lookups", 1), ("unique", 0),
                              ("updates", 1), ("steps", 1)):
            check_count(argument, getattr(self, argument), low)
        for argument in ("at_rest", "on_wire"):
            _kind(argument, getattr(self, argument))
        if self.sync not in SYNCS:
            raise ValueError(f"sync={self.sync!r}; allowed: {', '.join(map(repr, SYNCS))}")
        if self.unique > self.rows:
            raise ValueError(f"unique={self.unique}; a worker's distinct rows can be at most rows={self.rows}")


def replicate_wins(spec: ReplicaSpec | Mapping | None = None) -> tuple[bool, float, float]:
    """(whether replicas move fewer bytes and fit, bytes a step sharded, bytes a step replicated); over all links.

    sharded     ((1 − h) + 1 where gradients go back) · B·L · row · (K − 1)/K
    replicated  (K − 1)·table / steps  +  1/updates of: 0 | 2(K − 1)·R·4D | K(K − 1)·unique·(4D + 8)

    A table that does not fit in memory_bytes does not win, whatever it would move: that is the terabyte's case.
    """
    spec = spec if isinstance(spec, ReplicaSpec) else ReplicaSpec(**(spec or {}))
    K, table = spec.workers, spec.rows * row_bytes(spec.dim, spec.at_rest)
    rows_moved = spec.batch * spec.lookups * ((1 - spec.hit_rate) + (1 if spec.train else 0))
    sharded = rows_moved * row_bytes(spec.dim, spec.on_wire) * (K - 1) / K
    sync = {"none": 0, "dense": 2 * (K - 1) * spec.rows * 4 * spec.dim,
            "sparse": K * (K - 1) * spec.unique * (4 * spec.dim + 8)}[spec.sync]
    replicated = (K - 1) * table / spec.steps + sync / spec.updates
    return table <= spec.memory_bytes and replicated < sharded, sharded, replicated


def _kind(argument: str, kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"{argument}={kind!r}; allowed: {', '.join(KINDS)}")
    return kind


def _ratio(after: float, before: float) -> float:
    """after / before; 1 where both are 0."""
    if before == 0:
        return 1.0 if after == 0 else float("inf")
    return after / before

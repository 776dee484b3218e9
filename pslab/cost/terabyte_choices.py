"""Two decisions by formula: what a change does to the two budgets (exercise 11.7.1), replicate or shard (11.7.3).

    M_table = R·(row as stored + 4·D·slots)
    M_comm  = (1 − h)·(lookups of a step)·(S − 1)/S·(row on the wire)       busiest = M_comm / S, out of each of S hosts

The model, stated because the answers hang on it. S hosts own an even share of the table and are the workers too. Every
lookup that the worker's own cache does not answer fetches its row, and a fetch of a row that lies at home crosses no
link. Rows as stored and rows on the wire are separate choices: a table kept in int4 whose rows are unpacked before they
leave moves the bytes that it moved before. Ids are not counted in the first exercise and are in the second.
Section 11.7 leaves out (S − 1)/S; by its formula the number of hosts changes no byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

from .ports import check_count
from .terabyte import KINDS, row_bytes

ID_BYTES = 8


@dataclass(frozen=True)
class EmbeddingSpec:
    """A table and the step that reads it; the defaults are those of code 11.7.1, without a cache.

    slots: numbers of optimizer state for each number of a row (Adam 2). lookups: of a step, all hosts together.
    hit_rate: of the cache at the worker. stored, wire: "fp32", "fp16", "int8", "int4", with row_bytes(dim, kind).
    """

    rows: int = 2_000_000_000
    dim: int = 128
    slots: float = 0
    hosts: int = 16
    lookups: int = 2_621_440
    hit_rate: float = 0.0
    stored: str = "fp32"
    wire: str = "fp32"

    def __post_init__(self):
        for argument, low in (("rows", 1), ("dim", 1), ("hosts", 1), ("lookups", 0)):
            check_count(argument, getattr(self, argument), low)
        for argument in ("stored", "wire"):
            _kind(argument, getattr(self, argument))
        if not self.slots >= 0:
            raise ValueError(f"slots={self.slots!r}; a number from 0 is needed")
        if isinstance(self.hit_rate, bool) or not 0 <= self.hit_rate <= 1:
            raise ValueError(f"hit_rate={self.hit_rate!r}; a share from 0 to 1 is needed")

    @property
    def table_bytes(self) -> float:
        """M_table: what all hosts hold together."""
        return self.rows * (row_bytes(self.dim, self.stored) + 4 * self.dim * self.slots)

    @property
    def comm_bytes(self) -> float:
        """M_comm: rows of a step that cross a link, one way."""
        remote = (self.hosts - 1) / self.hosts
        return (1 - self.hit_rate) * self.lookups * remote * row_bytes(self.dim, self.wire)

    @property
    def link_bytes(self) -> float:
        """Out of each host, all hosts being asked alike."""
        return self.comm_bytes / self.hosts


class Effect(NamedTuple):
    """New over old: of M_table, of M_comm, of the busiest link's bytes."""

    table: float
    comm: float
    link: float


CHANGES = ("stored", "wire", "requester cache", "owner cache", "hosts", "hashing", "quotient-remainder", "slots",
           "de-duplication")


def changed(change: tuple, spec: EmbeddingSpec) -> EmbeddingSpec:
    """The spec after a change (what, value):

    ("stored", "int4")             stored rows; what travels is as it was
    ("wire", "int8")               rows travel in it; what is stored is as it was
    ("requester cache", 0.85)      a cache at the worker that answers this share of the lookups
    ("owner cache", 0.85)          one at the owner: it saves reads of RAM or disk there, and no byte of either budget
    ("hosts", 32)                  S
    ("hashing", 10_000_000)        ids share so many rows
    ("quotient-remainder", m)      two tables of m and ⌈R/m⌉ rows; each lookup fetches a row of both
    ("slots", 2)                   optimizer state
    ("de-duplication", u)          u lookups are left of a step
    """
    if not isinstance(change, (tuple, list)) or len(change) != 2 or change[0] not in CHANGES:
        raise ValueError(f"change={change!r}; (what, value) with one of {', '.join(map(repr, CHANGES))} is needed")
    what, value = change
    if what == "owner cache":
        return spec
    if what == "quotient-remainder":
        check_count("change", value, 1)
        return replace(spec, rows=value + ceil(spec.rows / value), lookups=2 * spec.lookups)
    field = {"requester cache": "hit_rate", "hashing": "rows", "de-duplication": "lookups"}.get(what, what)
    return replace(spec, **{field: value})


def effect(change: tuple, spec: EmbeddingSpec | Mapping | None = None) -> Effect:
    """What a change does to the memory, to the step's bytes and to the busiest link: exercise 11.7.1.

    >>> effect(("stored", "int4"))             # (a): memory alone, and by 7.5 with the scales, not by 8
    Effect(table=0.1328125, comm=1.0, link=1.0)

    (b) a larger cache: M_comm alone. (c) more hosts: no memory, slightly more bytes, half of them on each link.
    (d) hashing: memory alone; with two look-ups an id, M_comm doubles. What spec leaves out is as in code 11.7.1.
    """
    before = spec if isinstance(spec, EmbeddingSpec) else EmbeddingSpec(**(spec or {}))
    after = changed(change, before)
    return Effect(*(_ratio(getattr(after, name), getattr(before, name))
                    for name in ("table_bytes", "comm_bytes", "link_bytes")))


@dataclass(frozen=True)
class ReplicaSpec:
    """A table of R rows over K workers, sharded or whole on each, for T steps: exercise 11.7.3.

    lookups, hits: of a worker in a step, hits those that its cache of remote rows answers. touched: distinct rows that
    a worker's gradients name in an update; an update every `update_every` steps (0: never). kind: of stored rows, and
    of rows that travel; gradients are float32. The defaults are one worker's part of code 11.7.1, and the exercise's
    table of 256 MB.
    """

    workers: int = 16
    rows: int = 2_000_000
    dim: int = 128
    kind: str = "int8"
    slots: float = 0
    steps: int = 1000
    update_every: int = 1
    lookups: int = 163_840
    hits: int = 0
    touched: int = 29_372
    memory_bytes: float = 80e9

    def __post_init__(self):
        for argument, low in (("workers", 1), ("rows", 1), ("dim", 1), ("steps", 1), ("update_every", 0),
                              ("lookups", 0), ("hits", 0), ("touched", 0)):
            check_count(argument, getattr(self, argument), low)
        _kind("kind", self.kind)
        for argument, most in (("hits", self.lookups), ("touched", self.rows)):
            if getattr(self, argument) > most:
                raise ValueError(f"{argument}={getattr(self, argument)}; at most {most} are possible here")

    @property
    def updates(self) -> int:
        """In all steps."""
        return self.steps // self.update_every if self.update_every else 0


def replicate_wins(spec: ReplicaSpec | Mapping | None = None) -> tuple[bool, int, int]:
    """(whether copies fit and move fewer bytes, bytes sharded, bytes replicated): of T steps, over all links.

    sharded     (K − 1)·[ T·(lookups − hits)·(8 + row) + updates·touched·(8 + 4D) ]     a K-th of all stays at home
    replicated  (K − 1)·[ R·row                        + updates·K·touched·(8 + 4D) ]   all hear of each one's rows

    Equal bytes are no win, and what does not fit, R·(row + 4·D·slots) > memory, does not win however little it would
    move: that is the terabyte's case.
    """
    spec = spec if isinstance(spec, ReplicaSpec) else ReplicaSpec(**(spec or {}))
    K, row, change = spec.workers, row_bytes(spec.dim, spec.kind), ID_BYTES + 4 * spec.dim
    push = spec.updates * spec.touched * change
    sharded = (K - 1) * (spec.steps * (spec.lookups - spec.hits) * (ID_BYTES + row) + push)
    replicated = (K - 1) * (spec.rows * row + K * push)
    fits = spec.rows * (row + 4 * spec.dim * spec.slots) <= spec.memory_bytes
    return fits and replicated < sharded, sharded, replicated


def _kind(argument: str, kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"{argument}={kind!r}; allowed: {', '.join(KINDS)}")
    return kind


def _ratio(after: float, before: float) -> float:
    """after / before; 1 where both are 0."""
    if before == 0:
        return 1.0 if after == 0 else float("inf")
    return after / before

"""The cost model's quantities, measured: a real table over real ranks, bytes from the ledger, the model beside them.

    design                    who holds the rows     what runs
    naive                     the workers            all-to-all of ids, all-to-all of rows: one row a lookup
    de-duplication alone      the workers            the same, one row a distinct id
    both, reads of age s      servers                KVWorker(cache_rows=...), SSP(s)
    both, exact BSP           servers                KVWorker(cache_rows=...), BSP

Each worker draws B·L/K ids a step from one Zipf, fetches their rows, and pushes a gradient for each. A run of w + t
steps minus a run of w steps, both from the same seed, leaves the bytes of t steps with a warm cache, which is what
`pslab.cost.embedding_step` speaks of. The sizes are this machine's; the ratios are those of the model at any size.

Under SSP the model has all workers in step. A second table, under BSP and never read, keeps them so: a clock waits as
the strictest table demands. Left to themselves workers drift up to s clocks apart, and what the fast one fetches is
good for s clocks of the slowest: fewer of its own, so that more rows travel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pslab.comm import SimWorld
from pslab.cost import EmbeddingStep, embedding_step, zipf_popularity
from pslab.data import zipf
from pslab.ps import BSP, SGD, SSP, KVServer, KVWorker, TableConfig, serve

from .measured_exchange import RowExchange

DESIGNS = ("naive", "de-duplication alone", "both, reads of age s", "both, exact BSP")


@dataclass(frozen=True)
class MeasuredStep:
    """Bytes a step over all links, by the ledger: rows to the workers, gradients back; and what the model says."""

    design: str
    fetch_bytes: float
    push_bytes: float
    model: EmbeddingStep

    @property
    def of_naive(self) -> float:
        """Row bytes over those of one row a lookup over the same links: the measured 1 − h."""
        return self.fetch_bytes / (self.model.lookups * self.model.row_bytes * self.model.remote_share)

    @property
    def fetch_ratio(self) -> float:
        """Measured over modelled, of the rows."""
        return self.fetch_bytes / self.model.fetch_bytes

    @property
    def push_ratio(self) -> float:
        """Measured over modelled, of the gradients."""
        return self.push_bytes / (self.model.pushed * self.model.row_bytes)

    def __str__(self) -> str:
        return (f"{self.design}: rows {self.fetch_bytes:,.0f} B a step (modelled {self.model.fetch_bytes:,.0f}), "
                f"gradients {self.push_bytes:,.0f} B")


@dataclass(frozen=True)
class Scale:
    """Sizes of a measurement. R rows of D floats, B samples of L lookups over K workers, S servers where there are.

    capacity: rows of each worker's cache (least recently used leave). staleness: s of "both, reads of age s".
    steps: that are counted; warm: before them.
    """

    exponent: float = 1.1
    rows: int = 20_000
    dim: int = 16
    batch: int = 256
    lookups: int = 8
    workers: int = 2
    servers: int = 1
    capacity: int = 1000
    staleness: int = 4
    steps: int = 24
    warm: int = 12
    seed: int = 0

    def __post_init__(self):
        for argument, low in (("rows", 1), ("dim", 1), ("batch", 1), ("lookups", 1), ("workers", 1), ("servers", 1),
                              ("capacity", 1), ("staleness", 0), ("steps", 1), ("warm", 0), ("seed", 0)):
            value = getattr(self, argument)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ValueError(f"{argument}={value!r}; a whole number from {low} is needed")
        if self.batch * self.lookups % self.workers:
            raise ValueError(f"batch={self.batch} times lookups={self.lookups} does not divide by {self.workers} "
                             f"workers; each is to draw equally many ids")

    def ids(self, worker: int, steps: int) -> np.ndarray:
        """(steps, n) ids of one worker; a longer stream begins as a shorter one does."""
        n = self.batch * self.lookups // self.workers
        drawn = zipf(self.exponent, self.rows, steps * n, seed=1000 * self.seed + worker)
        return _scattered(drawn, self.rows).reshape(steps, n)


def measure_step(design: str, scale: Scale | None = None, world=None) -> MeasuredStep:
    """Run one of DESIGNS at `scale` and count. world: what makes a world of so many ranks, as ProcessWorld does; None:
    the simulator.
    """
    scale = Scale() if scale is None else scale
    if design not in DESIGNS:
        raise ValueError(f"design={design!r}; allowed: {', '.join(map(repr, DESIGNS))}")
    on_workers = design in DESIGNS[:2]
    ranks = scale.workers + (0 if on_workers else scale.servers)
    # Greenlets: the programs leave torch's modes alone, and run in a third of the time that threads take.
    made = SimWorld(ranks, trace=False, engine="greenlets") if world is None else world(ranks)
    try:
        counted = [_count(made, design, scale, steps) if steps else np.zeros(2)
                   for steps in (scale.warm + scale.steps, scale.warm)]
    finally:
        if hasattr(made, "close"):                          # processes
            made.close()
    fetched, pushed = (counted[0] - counted[1]) / scale.steps
    return MeasuredStep(design, float(fetched), float(pushed), modelled(design, scale))


def measured_designs(scale: Scale | None = None, world=None) -> list[MeasuredStep]:
    """All DESIGNS, one after the other."""
    return [measure_step(design, scale, world) for design in DESIGNS]


def modelled(design: str, scale: Scale) -> EmbeddingStep:
    """What `pslab.cost` says of a design at this scale."""
    cached = design in DESIGNS[2:]
    K = scale.workers
    return embedding_step(zipf_popularity(scale.exponent, scale.rows), capacity=scale.capacity if cached else 0,
                          batch=scale.batch, lookups=scale.lookups, dim=scale.dim, workers=K, dedup=design != "naive",
                          consistency=scale.staleness if design == DESIGNS[2] else "bsp",
                          remote_share=1.0 if cached else (K - 1) / K, policy="lru" if cached else "top-k")


def _count(world, design: str, scale: Scale, steps: int) -> np.ndarray:
    """(2,) bytes of rows to the workers and of gradients from them, in a run of `steps` steps."""
    if design in DESIGNS[:2]:
        run = world.run(_all_to_all_program, scale, steps, design != "naive")
        rows = (run.ledger.total("vals") - sum(run.results)) / 2    # ids are tensors as the rows are
        return np.array([rows, rows])
    run = world.run(_server_program, scale, steps, SSP(scale.staleness) if design == DESIGNS[2] else BSP())
    K = scale.workers
    vals = run.ledger.counts[:, :, 0]
    return np.array([vals[K:, :K].sum(), vals[:K, K:].sum()], float)


# ---- the two programs ---------------------------------------------------------------------------------------------


def _server_program(comm, scale: Scale, steps: int, consistency) -> None:
    K = scale.workers
    tables = [TableConfig("default", scale.dim, scale.rows, SGD(0.1), consistency),
              TableConfig("in step", 1, 1, SGD(0.1), BSP())]
    if comm.rank >= K:
        serve(comm, KVServer(tables, comm.rank - K, scale.servers, range(K)))
        return
    with KVWorker(comm, range(K, comm.world_size), tables, cache_rows=scale.capacity) as kv:
        for ids in scale.ids(comm.rank, steps):
            rows = kv.wait(kv.pull(ids))
            kv.wait(kv.push(ids, torch.ones_like(rows)))
            kv.clock()


def _all_to_all_program(comm, scale: Scale, steps: int, dedup: bool) -> int:
    """Gives the bytes of the ids that this rank sent to others."""
    table = RowExchange(comm, np.zeros((scale.rows, scale.dim), np.float32), SGD(0.1), dedup=dedup)
    for ids in scale.ids(comm.rank, steps):
        table.push(ids, np.ones_like(table.pull(ids)))
        table.next_round()
    return table.id_bytes


def _scattered(ids: np.ndarray, rows: int) -> np.ndarray:
    """The same ids under other numbers, so that popular rows are spread over owners: i·m + 1 mod R, m prime to R."""
    factor = next(m for m in range(rows // 2 + 1, 2 * rows + 2) if np.gcd(m, rows) == 1)
    return (ids * factor + 1) % rows

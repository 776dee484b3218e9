"""Three rivals for one sparse step, run and counted: dense ring, server, sparse all-gather, beside their closed forms.

    step = SparseStep(rows=1_000, dim=16, touched=40, workers=3, servers=1)
    run_rival("gather", step)       ──> RivalRun: what every port carried (ledger), and what pslab.cost says of it
    sweep_crossover(...)            ──> the same over table sizes, row lengths and touched shares: exercise 11.9.1

Every worker touches `touched` distinct rows, evenly over the servers' ranges, and gives each a whole-numbered gradient:
all three end with the same table bit for bit. A step that touches every row names none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from pslab.collectives import all_gather, all_reduce
from pslab.comm import Comm, Link, SimWorld
from pslab.cost import CROSSOVER_VIEWS, Rival, chunk_sizes, crossover_rows, three_rivals
from pslab.ps import SGD, KVServer, KVWorker, TableConfig, serve

KEY_BYTES = 8
COUNTED_VIEWS = tuple(view for view in CROSSOVER_VIEWS if view != "colocated")


@dataclass(frozen=True)
class SparseStep:
    """A table of `rows` rows of `dim` float32; each of `workers` workers touches `touched`, drawn from `seed`."""

    rows: int
    dim: int
    touched: int
    workers: int
    servers: int = 1
    seed: int = 0

    def __post_init__(self):
        for argument, least in (("rows", 1), ("dim", 1), ("touched", 0), ("workers", 1), ("servers", 1)):
            value = getattr(self, argument)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise ValueError(f"{argument}={value!r}; a whole number of at least {least} is needed")
        if self.touched > self.rows:
            raise ValueError(f"touched={self.touched}; unique rows can be at most rows={self.rows}")

    def ids(self, rank: int) -> np.ndarray:
        """(touched,) the ids of worker `rank`, ascending: as many in each server's range as chunk_sizes says."""
        rng, first, ids = np.random.default_rng((self.seed, rank)), 0, []
        for size, count in zip(chunk_sizes(self.rows, self.servers), chunk_sizes(self.touched, self.servers)):
            ids.append(first + np.sort(rng.permutation(size)[:count]))
            first += size
        return np.concatenate(ids).astype(np.int64)

    def grads(self, rank: int) -> np.ndarray:
        """(touched, dim) whole numbers, different for every worker and place."""
        n = self.touched * self.dim
        return (np.arange(n).reshape(self.touched, self.dim) % 50 * self.workers + rank).astype(np.float32)

    def predicted(self) -> dict[str, Rival]:
        """What pslab.cost says of the three."""
        return three_rivals(self.workers, self.servers, self.rows, self.dim, self.touched, key_bytes=KEY_BYTES)


@dataclass(frozen=True)
class RivalRun:
    """ports: (out, in) of every rank, values and keys, no headers. table: (rows, dim) after the step. seconds: virtual
    in the simulator."""

    name: str
    step: SparseStep
    ports: tuple[tuple[int, int], ...]
    predicted: Rival
    table: np.ndarray
    seconds: float

    @property
    def total(self) -> int:
        """Bytes over all links."""
        return sum(out for out, _ in self.ports)

    @property
    def exact(self) -> bool:
        """Whether every port carried what the closed form says."""
        return self.ports == tuple(map(tuple, self.predicted.ports))

    def bytes_of(self, view: str) -> int:
        """This rival's side of a way to count, as in `pslab.cost.crossover_fraction`."""
        if view in ("totals", "gather"):
            return self.total
        if view == "busiest" and self.name == "server":
            return max(out + into for out, into in self.ports)
        return max(map(max, self.ports))


def run_rival(name: str, step: SparseStep, *, world: Callable[[int], object] | None = None, link: Link | None = None,
              timeout_s: float = 60.0) -> RivalRun:
    """One step of 'allreduce', 'server' or 'gather'. world: of so many ranks; by default SimWorld with `link`."""
    if name not in _PROGRAMS:
        raise ValueError(f"name={name!r}; allowed: {', '.join(_PROGRAMS)}")
    ranks = step.workers + (step.servers if name == "server" else 0)
    made = SimWorld(ranks, link=link or Link(), trace=False) if world is None else world(ranks)
    with made if hasattr(made, "__exit__") else nullcontext():
        run = made.run(_PROGRAMS[name], step, timeout_s=timeout_s)
    ports = tuple(tuple(a + b for a, b in zip(run.ledger.port(rank, "vals"), run.ledger.port(rank, "keys")))
                  for rank in range(ranks))
    table = np.concatenate(run.results[step.workers:]) if name == "server" else run.results[0]
    return RivalRun(name, step, ports, step.predicted()[name], np.asarray(table), run.seconds)


@dataclass(frozen=True)
class CrossoverPoint:
    """One point of a sweep. dense, sparse: bytes of both sides, counted by a ledger; exact: every port as predicted."""

    view: str
    rows: int
    dim: int
    touched: int
    workers: int
    servers: int
    dense: int
    sparse: int
    exact: bool

    @property
    def fraction(self) -> float:
        return self.touched / self.rows

    @property
    def ring_wins(self) -> bool:
        return self.dense < self.sparse


def sweep_crossover(*, workers: int = 8, servers: int = 1, rows: Sequence[int] = (240, 960),
                    dims: Sequence[int] = (1, 16), shares: Sequence[float] = (0.05, 0.2, 0.5, 0.8),
                    views: Sequence[str] = ("totals",), at_flip: bool = True) -> list[CrossoverPoint]:
    """Bytes of both sides by the ledger, for every size, row length, share and view, in the simulator.

    at_flip: also at the last row at which the sparse side is not beaten, and at the first at which it is, where there
    is one below `rows`: there the counted bytes must change sides.
    """
    for view in views:
        if view not in COUNTED_VIEWS:
            raise ValueError(f"views={list(views)!r}; those that are counted here: {', '.join(COUNTED_VIEWS)}")
    points = []
    for size in rows:
        for dim in dims:
            step = SparseStep(size, dim, 0, workers, servers)
            dense = run_rival("allreduce", replace(step, touched=min(1, size)))
            for view in views:
                wanted = {round(share * size) for share in shares}
                flip = crossover_rows(size, workers, dim, KEY_BYTES, servers, view) if at_flip else None
                # with several servers a port's share is rounded, and so is where it flips
                if flip is not None and flip < size and (servers == 1 or view in ("totals", "gather")):
                    wanted |= {flip - 1, flip}
                for touched in sorted(wanted):
                    sparse = run_rival("gather" if view == "gather" else "server", replace(step, touched=touched))
                    points.append(CrossoverPoint(view, size, dim, touched, workers, servers, dense.bytes_of(view),
                                                 sparse.bytes_of(view), dense.exact and sparse.exact))
    return points


# ---- the programs -----------------------------------------------------------------------------------------------


def _dense_ring(comm: Comm, step: SparseStep) -> np.ndarray:
    """Everything travels, zeros too."""
    gradient = np.zeros((step.rows, step.dim), np.float32)
    gradient[step.ids(comm.rank)] = step.grads(comm.rank)
    all_reduce(comm, gradient, algorithm="ring")
    return -gradient


def _sparse_all_gather(comm: Comm, step: SparseStep) -> np.ndarray:
    """Touched rows and their ids, to everyone; each holds the whole table."""
    table, whole = np.zeros((step.rows, step.dim), np.float32), step.touched == step.rows
    ids = [np.arange(step.rows)] * comm.world_size if whole else all_gather(comm, step.ids(comm.rank))
    for their_ids, their_grads in zip(ids, all_gather(comm, step.grads(comm.rank))):
        table[np.asarray(their_ids)] -= np.asarray(their_grads)
    return table


def _served(comm: Comm, step: SparseStep):
    """Touched rows are pulled, their gradients pushed; workers come first, then the servers."""
    K = step.workers
    tables = [TableConfig("rows", step.dim, step.rows, SGD(1.0))]
    if comm.rank >= K:
        server = KVServer(tables, comm.rank - K, step.servers, range(K))
        serve(comm, server)
        return np.array(server.rows("rows"))
    keys = range(step.rows) if step.touched == step.rows else step.ids(comm.rank)
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        kv.wait(kv.pull(keys, "rows"))
        kv.push(keys, step.grads(comm.rank), "rows")
        kv.clock()
    return None


_PROGRAMS = {"allreduce": _dense_ring, "server": _served, "gather": _sparse_all_gather}

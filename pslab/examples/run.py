"""The program of a rank, and the caller who joins what the ranks return. The same function in every world.

    worker r of K, round t                                 server s of S
        part = its part of global batch t                      until every worker said goodbye:
        pull the rows it needs                                     take a letter, answer it
        compute                (takes pace(r, t) seconds)          every so many rounds keep a copy of the rows
        push the gradients
        clock                  (BSP and SSP wait here)

Scores are computed by the caller, after the run, from the servers' copies: neither bytes nor time of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from pslab.comm import Comm, Link, ProcessWorld, SimWorld
from pslab.ps import EASGD, Consistency, KVServer, KVWorker, serve
from pslab.ps import history as records

from .example import Example, Pace
from .local import LocalTables
from .mode import mode_of, name_of
from .result import ExampleResult, Point
from .watch import Copy, Watched

WORLDS = ("sim", "process")


@dataclass(frozen=True)
class Plan:
    """Who is how many, and how: K = workers, S = servers (0: one worker that holds all rows)."""

    workers: int
    servers: int
    consistency: Consistency
    pace: Pace | None
    take: Callable[[Comm, float], None] | None
    every: int
    record: bool = False

    def __post_init__(self):
        for argument, value, least in (("workers", self.workers, 1), ("servers", self.servers, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{argument}={value!r}; a whole number from {least} is needed")
        if not self.servers and self.workers > 1:
            raise ValueError(f"servers=0 with workers={self.workers}; one process without servers is workers=1")
        if self.record and not self.servers:
            raise ValueError("record=True with servers=0; a history is one of requests to servers")
        if isinstance(self.consistency, EASGD):
            raise ValueError(f"consistency={self.consistency!r}; EASGD trains a model of its own on every worker, see "
                             f"pslab.ps.ElasticAverage: these programs push gradients")

    @property
    def world_size(self) -> int:
        return self.workers + self.servers


def run_example(example: Example, *, world="sim", workers: int = 2, servers: int = 1,
                consistency: Consistency | str = "bsp", pace: Pace | None = None,
                take: Callable[[Comm, float], None] | None = None, points: int = 40, link: Link | None = None,
                trace: bool = False, record: bool = False, timeout_s: float = 60.0) -> ExampleResult:
    """Train `example` with K workers and S servers; servers=0 is one process alone.

    world: "sim", "process", or a world of K + S ranks. consistency: an object of pslab.ps, or "bsp", "ssp:3", "asp".
    pace: (rank, round) -> seconds that a worker computes in the round; None: row_s of the example times its rows.
    take: how that time is taken, take(comm, seconds); None: comm.compute, which is virtual time and nothing elsewhere.
    points: about how many points the curve has. link, trace: of the simulator that "sim" makes. record: keep every
    operation, for pslab.ps.history.check (servers are needed).
    """
    plan = Plan(workers, servers, mode_of(consistency), pace, take, max(1, round(example.rounds / max(points, 1))),
                record)
    if isinstance(world, str) and world not in WORLDS:
        raise ValueError(f"world={world!r}; allowed: {', '.join(WORLDS)}, or a world object")
    if world == "process":
        with ProcessWorld(plan.world_size) as processes:
            return _run(processes, "process", example, plan, timeout_s)
    if world == "sim":
        # Greenlets: the programs leave torch's modes alone, and a run takes a third of the time it takes with threads.
        simulator = SimWorld(plan.world_size, link=link or Link(), trace=trace, seed=example.seed, engine="greenlets")
        return _run(simulator, "sim", example, plan, timeout_s)
    kind = "sim" if isinstance(world, SimWorld) else "process"
    return _run(world, kind, example, plan, timeout_s)


def example_program(comm: Comm, example: Example, plan: Plan) -> dict:
    """One rank of plan.world_size: workers come first, then the servers."""
    tables = example.tables(plan.consistency)
    if not plan.servers:
        return _alone(comm, LocalTables(tables), example, plan)
    if comm.rank >= plan.workers:
        log = records.ServerLog() if plan.record else None
        server = KVServer(tables, comm.rank - plan.workers, plan.servers, range(plan.workers), recorder=log)
        watched = Watched(server, tables, plan.workers, plan.every)
        comm.barrier()
        began_s = comm.now()
        stats = serve(comm, watched)
        return {"copies": watched.finish(), "began_s": began_s, "stats": stats, "log": log and log.part()}
    log = records.Recorder() if plan.record else None
    kv = KVWorker(comm, range(plan.workers, plan.world_size), tables, recorder=log)
    comm.barrier()                                      # time starts when all are ready
    with kv:
        losses, times_s = _work(comm, kv, example, plan)
    return {"losses": losses, "times_s": times_s, "stats": kv.stats(), "log": log and log.part()}


def _work(comm: Comm, kv, example: Example, plan: Plan, after_round: Callable[[], None] = lambda: None):
    """(sum of the losses of every part, times at the start and after every round) of one worker."""
    losses, times_s = [], [comm.now()]
    take = Comm.compute if plan.take is None else plan.take
    for number, part in enumerate(example.parts(comm.rank, plan.workers)):
        size = example.size_of(part)
        seconds = example.row_s * size if plan.pace is None else plan.pace(comm.rank, number)
        losses.append(example.step(kv, part, partial(take, comm, seconds)) if size else 0.0)
        kv.clock()
        times_s.append(comm.now())
        after_round()
    return losses, times_s


def _alone(comm: Comm, kv: LocalTables, example: Example, plan: Plan) -> dict:
    copies = []

    def keep():
        if kv.current_clock % plan.every == 0 or kv.current_clock == example.rounds:
            copies.append(Copy(kv.current_clock, comm.now(), {name: rows.copy() for name, rows in kv.rows.items()}))

    began_s = comm.now()
    keep()
    losses, times_s = _work(comm, kv, example, plan, keep)
    return {"losses": losses, "times_s": times_s, "copies": copies, "began_s": began_s, "stats": {}, "log": None}


def _run(world, kind: str, example: Example, plan: Plan, timeout_s: float) -> ExampleResult:
    if world.world_size != plan.world_size:
        raise ValueError(f"world has {world.world_size} ranks; {plan.workers} workers and {plan.servers} servers need "
                         f"{plan.world_size}")
    ranks = [example.for_rank(trains=rank < plan.workers) for rank in range(plan.world_size)]
    run = world.run(example_program, per_rank=[(rank, plan) for rank in ranks], timeout_s=timeout_s)
    workers, keepers = run.results[:plan.workers], run.results[plan.workers:] or run.results
    points, rows = [], {}
    for copies in zip(*[[Copy(*copy) for copy in keeper["copies"]] for keeper in keepers]):
        rows = {name: np.concatenate([np.asarray(copy.rows[name]) for copy in copies]) for name in copies[0].rows}
        seconds = max(copy.time_s - keeper["began_s"] for copy, keeper in zip(copies, keepers))
        rounds = copies[0].rounds
        epoch = rounds / example.rounds_per_epoch
        points.append(Point(rounds, epoch, seconds, example.score(rows)))
    began_s = min(worker["times_s"][0] for worker in workers)
    return ExampleResult(
        example=example.name, data=example.data.name, note=example.data.note, metric_name=example.metric,
        higher_is_better=example.higher_is_better, workers=plan.workers, servers=plan.servers,
        mode=name_of(plan.consistency) if plan.servers else "one process", world=kind, curve=points, rows=rows,
        losses=[sum(sums) / size for sums, size in zip(zip(*[worker["losses"] for worker in workers]), example.sizes)],
        clocks_s=[[after - began_s for after in worker["times_s"]] for worker in workers],
        baselines=example.baselines(), run=run,
        history=records.History.of([rank["log"] for rank in run.results]) if plan.record else None)

"""One problem, one profile of stragglers, several ways to keep workers together: who is at the target first?

    ring       compute │ all-reduce │ compute │ …          K ranks; everyone waits for the slowest, every step
    BSP        pull, compute, push, clock                  K ranks and a server; the same waiting, at the server
    SSP(s)     the same                                    nobody begins more than s steps ahead of the slowest
    ASP        the same                                    nobody waits

    race = run_race(task, Pace.speeds([1, 1, 1, 0.5], 0.01), lr=0.5, horizon_s=2.0)
    race["ASP"].curve.time_to(0.1)      race["ring"].curve.losses      race["SSP(2)"].updates[7].staleness

Every mode adds each gradient with the same weight lr / K, so that lanes differ in time and in staleness only. In
SimWorld seconds are virtual and a race is the same each time; in ProcessWorld workers really sleep or compute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from pslab.collectives import all_reduce
from pslab.comm import Comm, Run, SimWorld
from pslab.ps import ASP, BSP, SGD, SSP, Consistency, KVServer, KVWorker, TableConfig, serve

from .adaptive import AdaptiveSSP
from .job import Given
from .pace import Pace, spend
from .replaying import Curve
from .tasks import Task
from .watched import Update, WatchedServer

RING = "ring"
TABLE = "w"


@dataclass(frozen=True)
class Lane:
    """How one mode ran. Times in seconds since all were ready.

    curve     the loss over time, as rank 0 (ring) or the server had it
    steps     for each worker, a list of (start_s, computed_s, begin_s): when a step began to compute, when it had, and
              when the worker was allowed to go on
    updates   every push as the server saw it: worker, clock, lead, staleness, time; for the ring, none
    seconds   until the last worker was done. run: bytes and trace, for a Gantt chart
    """

    name: str
    curve: Curve
    steps: list[list[tuple[float, float, float]]]
    updates: list[Update]
    seconds: float
    run: Run

    @property
    def counts(self) -> list[int]:
        """Steps that each worker finished; with backup workers, those of rounds it skipped are missing."""
        return [len(steps) for steps in self.steps]

    @property
    def waits_s(self) -> list[float]:
        """For each worker, seconds between the end of a computation and the leave to go on, together."""
        return [sum(begin - computed for _, computed, begin in steps) for steps in self.steps]

    @property
    def mean_staleness(self) -> float:
        return self.curve.mean_staleness


class Race(dict):
    """Lanes by name, in the order of the modes; `table(target)` for people."""

    def table(self, target: float) -> list[dict]:
        """One row a lane: seconds to the target, seconds in all, steps by worker, mean staleness, share waited."""
        return [{"mode": name, "to_target_s": lane.curve.time_to(target), "seconds": lane.seconds,
                 "steps": lane.counts, "mean_staleness": lane.mean_staleness,
                 "waited": sum(lane.waits_s) / (len(lane.steps) * lane.seconds) if lane.seconds else 0.0}
                for name, lane in self.items()]


def usual_modes(staleness: int = 2) -> dict[str, Consistency | str]:
    """Ring, BSP, SSP(staleness) and ASP."""
    return {RING: RING, "BSP": BSP(), f"SSP({staleness})": SSP(staleness), "ASP": ASP()}


def run_race(task: Task, pace: Pace, *, workers: int | None = None, lr: float, horizon_s: float = math.inf,
             steps: int | None = None, modes: Mapping[str, Consistency | str] | None = None,
             world: Callable[[int], object] = SimWorld, real: str = "sleep", every: int = 1,
             timeout_s: float = 30.0) -> Race:
    """Train `task` once in every mode.

    workers     K; by default as many as `pace` has ranks
    horizon_s   a worker begins no step from then on. steps: or from this clock on; one of the two is needed
    lr          of the mean gradient: an update of one worker weighs lr / K
    modes       name -> "ring", a consistency of pslab.ps as BSP(backup=1), or AdaptiveSSP(); default `usual_modes()`
    world       of so many ranks, as SimWorld, ProcessWorld or lambda n: SimWorld(n, link=...)
    real        what a worker does in real worlds while it "computes": see `spend`
    every       updates (of the ring: rounds) between two points of a curve
    """
    K = pace.num_ranks if workers is None else workers
    if isinstance(K, bool) or not isinstance(K, int) or K < 1:
        raise ValueError(f"workers={workers!r}; a whole number from 1 is needed where the pace names no ranks")
    if horizon_s == math.inf and steps is None:
        raise ValueError("horizon_s=inf and steps=None; a race needs one of them to end")
    race = Race()
    for name, mode in (usual_modes() if modes is None else modes).items():
        if mode != RING and not isinstance(mode, Consistency):
            raise ValueError(f"modes[{name!r}]={mode!r}; 'ring' or a Consistency is needed")
        rules = {"lr": lr, "horizon_s": horizon_s, "steps": math.inf if steps is None else steps, "real": real,
                 "every": every}
        made = world(K + (mode != RING))
        with made if hasattr(made, "__exit__") else nullcontext():
            run = made.run(_ring if mode == RING else _served, task, pace, K, mode, rules, timeout_s=timeout_s)
        race[name] = _lane(name, task, K, run, mode == RING)
    return race


# ---- the programs -------------------------------------------------------------------------------------------------

def _ring(comm: Comm, task: Task, pace: Pace, K: int, mode: str, rules: dict) -> dict:
    """Every rank holds w. One more element than parameters: how many ranks want to stop."""
    w, message = task.start.astype(np.float32), comm.empty(task.dim + 1)
    taken, snapshots = [], [(0.0, 0, w.copy())]
    comm.barrier()
    begun = begin = comm.now()
    while True:
        start, step = begin, len(taken)
        over = start - begun >= rules["horizon_s"] or step >= rules["steps"]
        message[:-1] = torch.from_numpy(_share(task, w, comm.rank, step, K))
        message[-1] = float(over)
        if not over:
            spend(comm, pace(comm.rank, step), real=rules["real"])
        computed = comm.now()
        all_reduce(comm, message, algorithm="ring")
        begin = comm.now()
        if message[-1]:
            return {"steps": taken, "snapshots": snapshots if comm.rank == 0 else []}
        w -= np.float32(rules["lr"]) * message[:-1].numpy()
        taken.append([start - begun, computed - begun, begin - begun])
        if (step + 1) % rules["every"] == 0:
            snapshots.append((begin - begun, step + 1, w.copy()))


def _served(comm: Comm, task: Task, pace: Pace, K: int, mode: Consistency, rules: dict) -> dict:
    """Workers 0 … K-1, and one server that holds w."""
    model = mode.served if comm.rank == K and isinstance(mode, AdaptiveSSP) else mode
    table = TableConfig(TABLE, 1, task.dim, SGD(rules["lr"]), model, init=Given(task.start.astype(np.float32)))
    if comm.rank == K:
        comm.barrier()
        begun = comm.now()
        server = WatchedServer(KVServer([table], 0, 1, range(K)), snapshots=rules["every"])
        serve(comm, server)
        late = [[*update[:-1], update.time_s - begun] for update in server.updates]
        return {"updates": late, "snapshots": [(max(0.0, at - begun), steps, rows[:, 0])
                                               for at, steps, rows in server.snapshots_taken]}
    everything, taken = range(task.dim), []
    with KVWorker(comm, [K], [table]) as kv:
        comm.barrier()
        begun = begin = computed = comm.now()
        while begin - begun < rules["horizon_s"] and kv.current_clock < rules["steps"]:
            start, step = begin, kv.current_clock       # with backup workers a late one skips rounds
            w = kv.wait(kv.pull(everything, TABLE))[:, 0].numpy()
            share = _share(task, w, comm.rank, step, K)
            spend(comm, pace(comm.rank, step), real=rules["real"])
            waited_s, computed = start - computed, comm.now()
            if isinstance(mode, AdaptiveSSP):
                mode.observe(waited_s, computed - start)
            kv.push(everything, share[:, None], TABLE)
            kv.clock()
            begin = comm.now()
            taken.append([start - begun, computed - begun, begin - begun])
    return {"steps": taken}


def _share(task: Task, w: np.ndarray, rank: int, step: int, K: int) -> np.ndarray:
    """A worker's share of the mean gradient, float32."""
    return (task.gradient(w.astype(np.float64), rank, step) / K).astype(np.float32)


def _lane(name: str, task: Task, K: int, run: Run, ring: bool) -> Lane:
    workers, source = run.results[:K], run.results[0 if ring else K]
    steps = [[tuple(step) for step in worker["steps"]] for worker in workers]
    updates = [Update(*update) for update in source.get("updates", [])]
    taken = source["snapshots"]
    with np.errstate(over="ignore", invalid="ignore"):
        losses = [task.loss(np.asarray(w, np.float64)) for _, _, w in taken]
    losses = np.nan_to_num(np.array(losses), nan=np.inf, posinf=np.inf)
    stale = float(np.mean([update.staleness for update in updates])) if updates else 0.0
    curve = Curve(np.array([at for at, _, _ in taken]), losses, np.asarray(taken[-1][2], np.float64),
                  sum(map(len, steps)), stale)
    return Lane(name, curve, steps, updates, max((own[-1][2] for own in steps if own), default=0.0), run)

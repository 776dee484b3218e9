"""Architecture and consistency are two choices: a square of four runs.

                       synchronous                           not
    server             BSP: a round ends when all pushed     ASP: nobody waits
    all-reduce         ring: a step ends when all are in     delayed ring (sums one step late), or local steps with an
                                                             average every H

Same task, same pace of the workers, same rate; virtual time. What a row of the square shares is who carries the bytes,
what a column shares is who waits for whom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from pslab.collectives import DelayedAllReduce, all_reduce
from pslab.comm import Comm, Link, SimWorld
from pslab.ps import ASP, BSP

from .pace import Pace, spend
from .race import run_race
from .tasks import Task

CORNERS = (("server", "synchronous"), ("server", "asynchronous"), ("all-reduce", "synchronous"),
           ("all-reduce", "asynchronous"))
WAYS = ("delayed", "local")


@dataclass(frozen=True)
class Corner:
    """One run.

    seconds         until the last worker was done
    total_bytes     over all links, values and keys, the whole run; busiest_bytes: of the busiest port, out and in
    waited          share of the workers' time
    late            by how many updates (server) or steps (all-reduce) a gradient is old when it is used, the mean; with
                    local steps, how many own steps lie behind the average, the mean: 0 to H − 1
    """

    architecture: str
    consistency: str
    how: str
    seconds: float
    loss: float
    total_bytes: int
    busiest_bytes: int
    waited: float
    late: float


def two_by_two(task: Task, pace: Pace, *, workers: int = 4, lr: float = 0.1, steps: int = 40, way: str = "delayed",
               local_steps: int = 8, world: Callable[[int], object] | None = None) -> list[Corner]:
    """The four corners, in the order of CORNERS: every worker takes `steps` steps on `task` at its `pace`.

    lr: of the mean gradient. way: of the asynchronous all-reduce, 'delayed' (each step uses the sums of the step
    before, which travelled while it computed) or 'local' (own steps at lr, weights averaged every `local_steps`).
    world: of so many ranks, in virtual time; by default SimWorld on links of 12.5 GB/s and 10 µs.
    """
    if way not in WAYS:
        raise ValueError(f"way={way!r}; allowed: {', '.join(map(repr, WAYS))}")
    for argument, value in (("steps", steps), ("local_steps", local_steps), ("workers", workers)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{argument}={value!r}; a whole number from 1 is needed")
    make = world or (lambda ranks: SimWorld(ranks, link=Link()))
    race = run_race(task, pace, workers=workers, lr=lr, steps=steps, world=make, modes={"BSP": BSP(), "ASP": ASP()})
    rules = {"lr": lr, "steps": steps, "every": local_steps}
    reduced = [make(workers).run(_reduced, task, pace, {**rules, "way": how}) for how in ("ring", way)]
    late = "delayed ring" if way == "delayed" else f"local steps, averaged every {local_steps}"
    return [_of_lane(race["BSP"], CORNERS[0], workers), _of_lane(race["ASP"], CORNERS[1], workers),
            _of_run(reduced[0], CORNERS[2], "ring", task), _of_run(reduced[1], CORNERS[3], late, task)]


def _of_run(run, corner: tuple[str, str], how: str, task: Task) -> Corner:
    done_s = max(result["seconds"] for result in run.results)
    waited = sum(result["waited_s"] for result in run.results) / (len(run.results) * done_s)
    return Corner(*corner, how, done_s, float(task.loss(run.results[0]["w"])), _total(run), _busiest(run), waited,
                  run.results[0]["late"])


def _of_lane(lane, corner: tuple[str, str], workers: int) -> Corner:
    return Corner(*corner, lane.name, lane.seconds, float(lane.curve.losses[-1]), _total(lane.run), _busiest(lane.run),
                  sum(lane.waits_s) / (workers * lane.seconds), lane.mean_staleness)


def _total(run) -> int:
    return run.ledger.total("vals") + run.ledger.total("keys")


def _busiest(run) -> int:
    ledger = run.ledger
    return max(a + b for rank in range(ledger.world_size)
               for a, b in zip(ledger.port(rank, "vals"), ledger.port(rank, "keys")))


def _reduced(comm: Comm, task: Task, pace: Pace, rules: dict) -> dict:
    """Every rank holds w. way 'ring': all wait for the sums of this step; 'delayed', 'local': they do not."""
    w, K, rank, way = task.start.astype(np.float32), comm.world_size, comm.rank, rules["way"]
    delayed, rate, waited_s, steps = DelayedAllReduce(comm), np.float32(rules["lr"]), 0.0, rules["steps"]
    comm.barrier()
    begun = comm.now()
    for step in range(steps):
        gradient = task.gradient(w.astype(np.float64), rank, step).astype(np.float32)
        spend(comm, pace(rank, step))
        computed, share = comm.now(), gradient / np.float32(K)
        if way == "ring":
            w -= rate * _summed(comm, share)
        elif way == "delayed":
            sums = delayed.exchange([torch.from_numpy(share)])
            w = w if sums is None else w - rate * sums[0].numpy()
        else:
            w -= rate * gradient
            if (step + 1) % rules["every"] == 0 or step + 1 == steps:
                w = _summed(comm, w / np.float32(K))
        waited_s += comm.now() - computed
    computed, last = comm.now(), delayed.drain()
    w = w if last is None else w - rate * last[0].numpy()
    waited_s += comm.now() - computed
    late = {"ring": 0.0, "delayed": 1.0, "local": (rules["every"] - 1) / 2}[way]
    return {"w": w.astype(np.float64), "seconds": comm.now() - begun, "waited_s": waited_s, "late": late}


def _summed(comm: Comm, share: np.ndarray) -> np.ndarray:
    """The sum of everybody's share."""
    total = torch.from_numpy(share.copy())
    all_reduce(comm, total, algorithm="ring")
    return total.numpy()

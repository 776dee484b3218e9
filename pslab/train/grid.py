"""Staleness × kind of straggler against time to a target, computed beforehand: what a slider shows.

                     s = 0    1     2     4     8     ∞     backup 1
    equal            1.00   1.00  1.00  1.00  1.00  1.00    1.00        makespan of BSP / makespan
    persistent       1.00   1.00  1.00  1.00  1.00  1.00    4.00        one rank 4 times slower: no finite s helps
    transient        1.00   1.41  1.66  1.90  2.04  2.14    1.85        anyone, now and then

Every cell is a schedule with its replay; `race` gives the same numbers with servers (the tests compare them).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from .pace import Pace
from .replaying import Curve, replay, replay_rounds
from .tasks import Task
from .timing import backup_rounds, schedule

STALENESS = (0, 1, 2, 4, 8, math.inf)


def usual_kinds(step_s: float = 1.0, *, slow_rank: int = 2, slow: float = 4, probability: float = 0.1,
                factor: float = 5, seed: int = 2) -> dict[str, Pace]:
    """No straggler, a persistent one, transient ones."""
    return {"equal": Pace.equal(step_s), "persistent": Pace.persistent(step_s, slow_rank, slow),
            "transient": Pace.transient(step_s, probability, factor, seed)}


def straggler_grid(task: Task, *, target: float, lr: float, workers: int = 8, steps: int = 200,
                   kinds: Mapping[str, Pace] | None = None, staleness: Sequence[float] = STALENESS,
                   backups: Sequence[int] = (), every: int = 1) -> list[dict]:
    """One row a cell, kinds in their order, then s, then backup workers of BSP.

    Every worker has `steps` steps (rounds with backup workers: late ones drop what they are at). A row:

    kind, staleness, backup     which cell; staleness is 0 where there are backup workers
    makespan_s, speed_up        until the last worker is done; the makespan at s = 0 over it
    to_target_s                 until the loss is at most `target`, inf if it never was
    mean_staleness, waited      of all updates; share of the workers' time spent waiting
    curve                       a Curve, with a point every so many updates
    """
    rows = []
    for kind, pace in (usual_kinds() if kinds is None else kinds).items():
        seconds = pace.table(workers, steps)
        bsp_s = schedule(seconds, 0).makespan_s
        for s in staleness:
            plan = schedule(seconds, s)
            waited = float(plan.waits_s.sum() / plan.ends[:, -1].sum()) if plan.makespan_s else 0.0
            rows.append(_row(kind, s, 0, bsp_s, plan.makespan_s, waited, replay(task, plan, lr, every=every), target))
        for backup in backups:
            took, used = backup_rounds(seconds, backup)
            curve = replay_rounds(task, np.cumsum(took), used, lr, every=max(1, every // workers))
            busy = float(np.minimum(seconds, took).sum())       # late ones work until they drop it
            waited = 1 - busy / float(workers * took.sum()) if took.sum() else 0.0
            rows.append(_row(kind, 0, backup, bsp_s, float(took.sum()), waited, curve, target))
    return rows


def _row(kind: str, s: float, backup: int, bsp_s: float, makespan_s: float, waited: float, curve: Curve,
         target: float) -> dict:
    return {"kind": kind, "staleness": s, "backup": backup, "makespan_s": makespan_s,
            "speed_up": bsp_s / makespan_s if makespan_s else 1.0, "to_target_s": curve.time_to(target),
            "mean_staleness": curve.mean_staleness, "waited": waited, "curve": curve}

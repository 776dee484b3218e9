"""Synchronous with a large batch against asynchronous, each at the learning rate that suits it best.

    K gradients    BSP   │ g g g g │ mean, one step of rate η          a batch K times as large, at up to K-fold rate
                   ASP     g→ g→ g→ g→  four steps of rate η / 4       no waiting, gradients K - 1 steps old

A comparison at one learning rate compares learning rates: staleness bounds the rate of ASP, and the curvature that of
BSP. So every mode is run at every rate of a list, and its best one counts. Chen et al. (2016), "Revisiting Distributed
Synchronous SGD", found so that backup workers beat both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .pace import Pace
from .replaying import Curve, WarmUp, over_staleness, replay, replay_rounds
from .tasks import Task
from .timing import backup_rounds, schedule

Mode = Callable[[Task, np.ndarray, float], Curve]


def usual_rivals(workers: int, *, backup: int = 1, compensation: float = 1.0, warm_up: int = 20) -> dict[str, Mode]:
    """Name -> run(task, seconds (K, T), lr) of the ways to train with K workers."""
    def stale(s: float, **options) -> Mode:
        return lambda task, seconds, lr: replay(task, schedule(seconds, s), lr, **options)

    def backed(task: Task, seconds: np.ndarray, lr: float) -> Curve:
        took, used = backup_rounds(seconds, backup)
        return replay_rounds(task, np.cumsum(took), used, lr)

    modes = {"BSP, large batch": stale(0), "BSP, warm-up": stale(0, warm_up=WarmUp(warm_up))}
    if workers > backup:
        modes[f"BSP, {backup} backup"] = backed
    return {**modes, "SSP(2)": stale(2), "ASP": stale(math.inf),
            "ASP, rate / staleness": stale(math.inf, scale=over_staleness),
            "ASP, compensated": stale(math.inf, compensation=compensation)}


def best_rates(task: Task, pace: Pace, *, workers: int, target: float, rates: Sequence[float], steps: int = 100,
               rivals: Mapping[str, Mode] | None = None) -> list[dict]:
    """Every rival at every rate: {"mode", "lr", "to_target_s", "updates_to_target", "times"}, in the order of rivals.

    lr and to_target_s: of the rate that gets to the target first, nan and inf where none does. updates_to_target:
    gradients used until then. times: seconds to the target for each of `rates`.
    """
    if not len(rates):
        raise ValueError("rates is empty; at least one learning rate is needed")
    seconds, rows = pace.table(workers, steps), []
    for name, run in (usual_rivals(workers) if rivals is None else rivals).items():
        curves = [run(task, seconds, lr) for lr in rates]
        times = [curve.time_to(target) for curve in curves]
        best = int(np.argmin(times))
        reached = times[best] < math.inf
        curve = curves[best]
        points = len(curve.times_s) - 1
        used = int(np.argmax(curve.losses <= target)) * (curve.updates // points) if reached and points else 0
        rows.append({"mode": name, "lr": rates[best] if reached else math.nan, "to_target_s": times[best],
                     "updates_to_target": used, "times": times})
    return rows

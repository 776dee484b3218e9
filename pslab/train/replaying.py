"""Training in the order of a schedule: what staleness does to a loss, exactly and without messages.

    schedule            read 0 … │ … apply 2, read 2 … apply 0, read 0 …        who reads and applies when
    replay              w_then = w      w = w - lr/K · g(w_then)                the same, with numbers

Every update is a worker's share 1/K of a mean gradient, so that modes differ in time and staleness and not in the size
of steps: BSP adds K shares at one place, ASP one share at each of K places. `race` does the same with servers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .tasks import Task
from .timing import Schedule

DIVERGED = 1e12         # a loss above this many times the first one ends a replay


@dataclass(frozen=True)
class Curve:
    """A loss over time. losses[i] from times_s[i] on; weights (P,): at the end; views: see `replay`."""

    times_s: np.ndarray
    losses: np.ndarray
    weights: np.ndarray
    updates: int
    mean_staleness: float
    views: np.ndarray | None = None

    def time_to(self, target: float) -> float:
        """Seconds until the loss is at most `target` for the first time; inf if never."""
        hits = np.flatnonzero(self.losses <= target)
        return float(self.times_s[hits[0]]) if hits.size else float("inf")


@dataclass(frozen=True)
class WarmUp:
    """The learning rate rises from `first` times itself to its full value over `steps` steps of a worker, in a line."""

    steps: int
    first: float = 0.0

    def __post_init__(self):
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 0:
            raise ValueError(f"steps={self.steps!r}; a whole number from 0 is needed")
        if not 0 <= self.first <= 1:
            raise ValueError(f"first={self.first!r}; a share from 0 to 1 is needed")

    def __call__(self, step: int) -> float:
        """The factor of step 0, 1, …; 1 from step `steps` on."""
        return 1.0 if step >= self.steps else self.first + (1 - self.first) * step / self.steps


def compensate(gradient, now, then, strength: float):
    """g + λ g⊙g⊙(w_now - w_then): what the gradient would be at w_now, the Hessian guessed as λ g⊙g.

    Zheng et al. (2017), "Asynchronous Stochastic Gradient Descent with Delay Compensation". Arrays or tensors.
    """
    return gradient + strength * gradient * gradient * (now - then)


def over_staleness(staleness: int) -> float:
    """Rates divided by the staleness, 1/max(1, τ): Zhang et al. (2016), "Staleness-aware async-SGD"."""
    return 1 / max(1, staleness)


def replay(task: Task, plan: Schedule, lr: float | Callable[[int, int], float], *, compensation: float = 0.0,
           scale: Callable[[int], float] | None = None, warm_up: Callable[[int], float] | None = None,
           horizon_s: float = np.inf, every: int = 1, keep_views: bool = False) -> Curve:
    """Train `task` from its start, reading and applying in the order of `plan`.

    lr             of the mean gradient, or a function of (worker, step)
    compensation   λ of `compensate`; 0 for none. scale: factor by the staleness of an update, as `over_staleness`
    warm_up        factor by the worker's step, as WarmUp(100)
    horizon_s      updates that end later are left out; every: how many updates between two points of the curve
    keep_views     keep the parameters that each step read: Curve.views (K, T, P), NaN where there was none
    """
    K, T = plan.ends.shape
    rate = lr if callable(lr) else lambda worker, step: lr
    if plan.in_rounds:
        return replay_rounds(task, plan.ends.max(axis=0), np.ones((K, T), bool), rate, warm_up=warm_up,
                             horizon_s=horizon_s, every=max(1, every // K), keep_views=keep_views)
    w, curve = task.start.copy(), _Recorder(task, every)
    views = np.full((K, T, task.dim), np.nan) if keep_views else None
    reads = _by_value(plan.seen)
    applies = np.argsort(plan.places, axis=None)
    kept = plan.ends.ravel()[applies] <= horizon_s
    then: dict[int, np.ndarray] = {}
    stale = 0
    for done, at in enumerate(applies[kept].tolist()):
        for other in reads.get(done, ()):
            then[other] = w                 # w is replaced at a step, never changed in place
        worker, step = divmod(at, T)
        read, staleness = then.pop(at), int(plan.staleness[worker, step])
        if keep_views:
            views[worker, step] = read
        g = task.gradient(read, worker, step)
        if compensation:
            g = compensate(g, w, read, compensation)
        factor = rate(worker, step) / K * (1.0 if scale is None else scale(staleness))
        w = w - factor * (1.0 if warm_up is None else warm_up(step)) * g
        stale += staleness
        if not curve.note(plan.ends[worker, step], w, done + 1):
            break
    return curve.curve(w, stale, views)


def replay_rounds(task: Task, ends_s: np.ndarray, used: np.ndarray, lr: float | Callable[[int, int], float], *,
                  warm_up: Callable[[int], float] | None = None, horizon_s: float = np.inf, every: int = 1,
                  keep_views: bool = False) -> Curve:
    """Synchronous training: round t ends at ends_s[t] (T,), with the mean of the gradients of used[:, t] (K, T).

    lr: of the mean gradient, or a function of (worker, step). For backup workers: times and `used` of `backup_rounds`.
    """
    K, T = used.shape
    rate = lr if callable(lr) else lambda worker, step: lr
    w, curve = task.start.copy(), _Recorder(task, every)
    views = np.full((K, T, task.dim), np.nan) if keep_views else None
    updates = 0
    for t in range(T):
        if ends_s[t] > horizon_s:
            break
        workers = np.flatnonzero(used[:, t]).tolist()
        if keep_views:
            views[workers, t] = w
        total = sum(rate(worker, t) * task.gradient(w, worker, t) for worker in workers)
        w = w - (1.0 if warm_up is None else warm_up(t)) / len(workers) * total
        updates += len(workers)
        if not curve.note(ends_s[t], w, t + 1, updates):
            break
    return curve.curve(w, 0, views)


class _Recorder:
    """Points of a curve, every so many updates; stops what diverges."""

    def __init__(self, task: Task, every: int):
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every={every!r}; a whole number from 1 is needed")
        self.task, self.every, self.updates = task, every, 0
        self.times, self.losses = [0.0], [task.loss(task.start)]

    def note(self, time_s: float, w: np.ndarray, count: int, updates: int | None = None) -> bool:
        """False when there is nothing left to hope for."""
        self.updates = count if updates is None else updates
        if count % self.every:
            return True
        with np.errstate(over="ignore", invalid="ignore"):
            loss = self.task.loss(w)
        self.times.append(float(time_s))
        self.losses.append(loss if np.isfinite(loss) else np.inf)
        return loss <= DIVERGED * max(self.losses[0], 1e-300)

    def curve(self, w: np.ndarray, stale: int, views) -> Curve:
        mean = stale / self.updates if self.updates else 0.0
        return Curve(np.array(self.times), np.array(self.losses), w, self.updates, mean, views)


def _by_value(numbers: np.ndarray) -> dict[int, list[int]]:
    """{value: flat indices that hold it}."""
    flat = numbers.ravel()
    order = np.argsort(flat, kind="stable")
    values, firsts = np.unique(flat[order], return_index=True)
    return {int(v): part.tolist() for v, part in zip(values, np.split(order, firsts[1:]))}

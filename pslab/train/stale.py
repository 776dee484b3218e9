"""What staleness is, and what it costs: the law of its mean, the rate it allows, the regret it adds.

    law       mean staleness of ASP = (K - 1) - boundary / N             whatever the workers' speeds
    rate      w_t+1 = w_t - η λ w_t-τ     settles for η < 2 sin(π / (2 (2τ + 1))) / λ
    regret    Σ f_t(w_t) - f_t(w*)  <=  4 F L √(2 (s + 1) K T)           SSP(s), T steps of K workers together

The law, counted: worker r reads right after each of its own updates, so between its first read and its last update all
others' updates count once. Summed over workers that is (K - 1) N, less what others apply after a worker's last update.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pslab.collectives import stable_rate

from .replaying import replay
from .tasks import Logistic
from .timing import Schedule, schedule


@dataclass(frozen=True)
class Law:
    """Mean staleness of N updates, and what it must be: workers - 1 - boundary / updates, exactly.

    boundary: for each worker, the others' updates that came after its last one, together.
    """

    workers: int
    updates: int
    mean: float
    boundary: int
    by_worker: tuple[float, ...]

    @property
    def predicted(self) -> float:
        return self.workers - 1 - self.boundary / self.updates


def staleness_law(plan: Schedule, horizon_s: float = math.inf) -> Law:
    """Staleness of the updates of an ASP schedule that end by horizon_s, against the law.

    Without a horizon a fast worker is done early, and the boundary is large. The law is one of ASP: where workers wait
    for each other they read later than right after their own update, and staleness is smaller.
    """
    if np.isfinite(plan.limits).any():
        raise ValueError("plan has limits of staleness; the law is one of ASP: schedule(seconds, math.inf)")
    kept = plan.ends <= horizon_s
    return law_of_updates(np.repeat(np.arange(len(kept)), kept.sum(axis=1)), plan.staleness[kept], len(kept),
                          plan.places[kept])


def law_of_updates(workers, staleness, K: int, places=None) -> Law:
    """The same of updates recorded anywhere: their workers 0..K-1 and staleness, in the order of application.

    As of a race: law_of_updates([u.worker for u in lane.updates], [u.staleness for u in lane.updates], K).
    places: of the updates in that order, where they are not given in it.
    """
    workers, staleness = np.asarray(workers), np.asarray(staleness)
    if not len(workers) or workers.shape != staleness.shape:
        raise ValueError(f"workers has shape {workers.shape}, staleness {staleness.shape}; (N,) of both, N at least 1")
    places = np.arange(len(workers)) if places is None else np.asarray(places)
    places = np.argsort(np.argsort(places))                     # what came after a horizon leaves no gaps
    own = [workers == worker for worker in range(K)]
    last = [places[mine].max(initial=-1) for mine in own]
    boundary = sum(len(workers) - 1 - int(at) for at in last)
    means = tuple(float(staleness[mine].mean()) if mine.any() else 0.0 for mine in own)
    return Law(K, len(workers), float(staleness.mean()), boundary, means)


# ---- the rate -----------------------------------------------------------------------------------------------------

def settles(rate: float, curvature: float, staleness: int, steps: int = 4000) -> bool:
    """Whether descent on λ/2·w² with gradients exactly τ steps late comes to rest, by running it.

    It runs `steps` steps from w = 1, and compares the largest |w| of its last quarter with that of the quarter before.
    """
    history = np.ones(staleness + steps + 1)
    move = rate * curvature
    w = history.tolist()
    for t in range(staleness, staleness + steps):
        w[t + 1] = w[t] - move * w[t - staleness]
        if abs(w[t + 1]) > 1e100:
            return False
    quarter = steps // 4
    return max(map(abs, w[-quarter:])) < max(map(abs, w[-2 * quarter:-quarter])) or max(map(abs, w[-quarter:])) < 1e-100


def stable_rate_by_experiment(curvature: float, staleness: int, *, tolerance: float = 1e-3, steps: int = 4000) -> float:
    """The largest learning rate at which descent with a fixed delay still settles, by bisection: no formula used.

    tolerance: relative. For the formula see pslab.collectives.stable_rate, 2 sin(π / (2 (2τ + 1))) / λ.
    """
    if not curvature > 0:
        raise ValueError(f"curvature={curvature!r}; more than 0 is needed")
    if isinstance(staleness, bool) or not isinstance(staleness, int) or staleness < 0:
        raise ValueError(f"staleness={staleness!r}; a whole number, 0 or more, is needed")
    low, high = 0.0, 1 / curvature
    while settles(high, curvature, staleness, steps):
        low, high = high, 2 * high
    while high - low > tolerance * high:
        middle = (low + high) / 2
        low, high = (middle, high) if settles(middle, curvature, staleness, steps) else (low, middle)
    return (low + high) / 2


def stable_rates(curvature: float = 1.0, most: int = 8, *, tolerance: float = 1e-3) -> list[dict]:
    """Experiment and formula side by side for τ = 0 … most: {"staleness", "measured", "formula"}."""
    return [{"staleness": tau, "measured": stable_rate_by_experiment(curvature, tau, tolerance=tolerance),
             "formula": stable_rate(curvature, tau)} for tau in range(most + 1)]


# ---- regret -------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Regret:
    """Measured regret of a run of SSP, and the bound.

    measured   Σ over all T steps of f_t(what the step read) - f_t(w*)
    bound      4 F L √(2 (s + 1) K T), T all steps of all workers
    lipschitz  L of every f_t. radius: F. inside: whether |w - w'|² / 2 <= F² held for all that was read, and w*, as the
               theorem demands
    """

    staleness: float
    measured: float
    bound: float
    steps: int
    lipschitz: float
    radius: float
    inside: bool

    @property
    def mean(self) -> float:
        return self.measured / self.steps


def ssp_regret(task: Logistic, seconds: np.ndarray, staleness: int, *, radius: float) -> Regret:
    """Regret of SGD under SSP(staleness) on convex f_t, the losses of the batches, beside the bound of Ho et al.

    seconds (K, T) of the steps. radius: F, to be chosen beforehand: with it the rates are those of the theorem,
    η_t = σ/√t with σ = F / (L √(2 (s + 1) K)), t = 1 … over steps and workers in turn. L: the longest row of the task
    (a logistic loss has slope at most 1), which needs l2 = 0.

    Ho et al., "More Effective Distributed ML via a Stale Synchronous Parallel Parameter Server" (NIPS 2013), Theorem 1:
    its mean regret 4 F L √(2 (s + 1) K / T), times T. At s = 0 it is the bound of K steps at once, not 0.
    """
    if task.l2:
        raise ValueError(f"task has l2={task.l2}; the bound is one of Lipschitz losses, l2=0 is needed")
    if not 0 < radius < math.inf:
        raise ValueError(f"radius={radius!r}; a finite number above 0 is needed")
    if staleness == math.inf:
        raise ValueError("staleness=inf; the bound is one of a finite staleness")
    K, T = np.shape(seconds)
    lipschitz = float(np.linalg.norm(task.x, axis=1).max())
    sigma = radius / (lipschitz * math.sqrt(2 * (staleness + 1) * K))

    def rate(worker: int, step: int) -> float:      # a replay weighs an update by 1/K, the theorem's updates weigh 1
        return K * sigma / math.sqrt(step * K + worker + 1)

    curve = replay(task, schedule(seconds, staleness), rate, every=K * T, keep_views=True)
    measured = sum(task.step_loss(curve.views[k, t], k, t) - task.step_loss(task.best, k, t)
                   for k in range(K) for t in range(T))
    points = np.vstack([curve.views.reshape(K * T, -1), task.best, curve.weights])
    farthest = np.linalg.norm(points - points.mean(axis=0), axis=1).max()       # no two are farther apart than twice it
    bound = 4 * radius * lipschitz * math.sqrt(2 * (staleness + 1) * K * K * T)
    return Regret(staleness, float(measured), bound, K * T, lipschitz, float(radius),
                  bool((2 * farthest)**2 / 2 <= radius**2))

"""Bounded delay with a server that is busy: why time to accuracy has a minimum in τ.

    worker     compute │ push+pull ─┐      τ requests of its own may be under way: iteration t begins when the
               compute │ push+pull ─┼─┐    answer to iteration t - τ - 1 is here
    server     ··│u│u│u│u│u│u│··  one at a time, service_s each; the answer holds the values after it

    τ small    the worker waits for answers: few iterations a second
    τ large    the server is busy all the time and gains nothing more; a longer queue only makes every gradient older

So the time to a target falls with τ until the slowest part is always at work, and rises from then on. Li et al. (OSDI
2014), section 5.1, measured such a curve for sparse logistic regression.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .replaying import DIVERGED, Curve
from .tasks import Task


@dataclass(frozen=True)
class Pipeline:
    """K workers and one server. Seconds: computing an iteration, one way on the network, the server per request."""

    workers: int = 4
    compute_s: float = 1.0
    latency_s: float = 1.0
    service_s: float = 0.3

    def __post_init__(self):
        if isinstance(self.workers, bool) or not isinstance(self.workers, int) or self.workers < 1:
            raise ValueError(f"workers={self.workers!r}; a whole number from 1 is needed")
        for name in ("compute_s", "latency_s", "service_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)!r}; a number of seconds from 0 is needed")

    @property
    def busy_from(self) -> int:
        """The smallest τ at which the slowest part, a worker or the server, always has work."""
        round_trip_s = self.compute_s + 2 * self.latency_s + self.service_s
        slowest_s = max(self.compute_s, self.workers * self.service_s)
        return max(0, math.ceil(round_trip_s / slowest_s - 1 - 1e-9)) if slowest_s else 0

    def run(self, task: Task, tau: int, lr: float, *, updates: int = 1000, every: int = 1) -> Curve:
        """Train `task` until the server took so many updates, each of a worker's share 1/K of the mean gradient."""
        if isinstance(tau, bool) or not isinstance(tau, int) or tau < 0:
            raise ValueError(f"tau={tau!r}; a whole number from 0 is needed")
        K, w = self.workers, task.start.copy()
        begun, answered, computing = [0] * K, [0] * K, [False] * K
        have = [(w, 0)] * K                                     # the newest values each worker has, and their number
        read: dict[tuple[int, int], tuple] = {}
        queue: list[tuple] = []                                 # (time, kind, worker, what): in order of time
        times, losses, stale, free_s, count = [0.0], [task.loss(w)], 0, 0.0, 0

        def begin(worker: int, now_s: float) -> None:
            if not computing[worker] and begun[worker] <= answered[worker] + tau:
                computing[worker], read[worker, begun[worker]] = True, have[worker]
                heapq.heappush(queue, (now_s + self.compute_s, 2, worker, begun[worker]))
                begun[worker] += 1

        for worker in range(K):
            begin(worker, 0.0)
        while count < updates:
            now_s, kind, worker, what = heapq.heappop(queue)
            if kind == 2:                                       # computed: the request leaves, the next may begin
                computing[worker] = False
                heapq.heappush(queue, (now_s + self.latency_s, 1, worker, what))
                begin(worker, now_s)
            elif kind == 1:                                     # at the server: served in the order of arrival
                then, number = read.pop((worker, what))
                free_s = max(free_s, now_s) + self.service_s
                w = w - lr / K * task.gradient(then, worker, what)
                stale, count = stale + count - number, count + 1
                heapq.heappush(queue, (free_s + self.latency_s, 0, worker, (w, count)))
                if count % every == 0:
                    times.append(free_s)
                    losses.append(task.loss(w))
                    if not losses[-1] <= DIVERGED * losses[0]:
                        break
            else:                                               # the answer
                have[worker], answered[worker] = what, answered[worker] + 1
                begin(worker, now_s)
        return Curve(np.array(times), np.nan_to_num(np.array(losses), nan=np.inf), w, count, stale / count)


def time_over_tau(task: Task, lr: float, target: float, *, taus: Sequence[int] = (0, 1, 2, 4, 8, 16),
                  pipeline: Pipeline | None = None, updates: int = 1000) -> list[dict]:
    """For each τ: {"tau", "to_target_s", "mean_staleness", "updates_per_s"}."""
    pipeline = Pipeline() if pipeline is None else pipeline
    rows = []
    for tau in taus:
        curve = pipeline.run(task, tau, lr, updates=updates)
        rows.append({"tau": tau, "to_target_s": curve.time_to(target), "mean_staleness": curve.mean_staleness,
                     "updates_per_s": curve.updates / float(curve.times_s[-1])})
    return rows

"""Who computes when, under BSP, SSP and ASP: the clock rule alone, without a message, in closed recurrences.

    s = 1       worker 0   |0 |1 |. . . |2 |. . . |3        begins step c when every worker has finished
                worker 1   |0       |1       |2       |3    c - s steps; `.` waits

    start[r, c] = max(end[r, c-1], max over r' of end[r', c-s-1])        end = start + seconds of the step

An update is applied at the end of its step, and the worker reads at the start of the next one. The staleness of an
update is how many others were applied between its read and its own application. Messages take no time here: SimWorld
with a link of no latency gives the same times, and `race` runs the real servers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Schedule:
    """Times of T steps of K workers; all arrays (K, T). limits: the staleness each step was begun under."""

    starts: np.ndarray
    ends: np.ndarray
    limits: np.ndarray
    gates: np.ndarray                   # when the slowest allowed the step: a worker waits where that is after its end

    @property
    def makespan_s(self) -> float:
        """When the last worker ends."""
        return float(self.ends.max(initial=0.0))

    @property
    def waits_s(self) -> np.ndarray:
        """(K, T) seconds that each worker waited before each step."""
        return self.starts - _before(self.ends)

    @property
    def in_rounds(self) -> bool:
        """BSP: a read sees exactly the rounds before, and a round is one step."""
        return bool((self.limits == 0).all())

    @cached_property
    def leads(self) -> np.ndarray:
        """(K, T) how many steps the slowest worker was behind when a step began: SSP(s) keeps this <= s."""
        done = [np.searchsorted(row, self.starts, side="right") for row in self.ends]      # (K, T) a worker
        return np.arange(self.starts.shape[1]) - np.min(done, axis=0)

    @cached_property
    def places(self) -> np.ndarray:
        """(K, T) place of each update in the order of application: by time, then by rank."""
        K, T = self.ends.shape
        order = np.lexsort((np.repeat(np.arange(K), T), self.ends.ravel()))
        places = np.empty(K * T, np.int64)
        places[order] = np.arange(K * T)
        return places.reshape(K, T)

    @cached_property
    def seen(self) -> np.ndarray:
        """(K, T) how many updates had been applied when a step read.

        A worker that did not wait reads right after its own update; one that waited sees all that ended by then.
        """
        straight = np.zeros_like(self.places)
        straight[:, 1:] = self.places[:, :-1] + 1
        waited = np.searchsorted(np.sort(self.ends.ravel()), self.starts, side="right")
        seen = np.where(self.gates >= _before(self.ends), waited, straight)
        seen[:, :1] = 0
        return seen

    @cached_property
    def staleness(self) -> np.ndarray:
        """(K, T) updates applied between the read of an update and its own application; 0 in rounds, by definition."""
        return np.zeros_like(self.places) if self.in_rounds else self.places - self.seen


def schedule(seconds: np.ndarray, staleness) -> Schedule:
    """The times of steps that take `seconds` (K, T) (as of Pace.table), under a limit of staleness.

    staleness: 0 for BSP, s for SSP, math.inf for ASP; or K `AdaptiveStaleness`, one a worker, which choose for
    themselves and are told what they waited.
    """
    seconds = np.asarray(seconds, np.float64)
    if seconds.ndim != 2 or not seconds.shape[0] or (seconds < 0).any() or not np.isfinite(seconds).all():
        raise ValueError(f"seconds has shape {seconds.shape}; (K, T) finite numbers from 0 are needed, K at least 1")
    K, T = seconds.shape
    choosers = list(staleness) if isinstance(staleness, (list, tuple)) else None
    if choosers is None:
        _check_staleness(staleness)
    elif len(choosers) != K:
        raise ValueError(f"staleness has {len(choosers)} entries; one for each of {K} workers is needed")
    starts, ends, gates = np.zeros((K, T)), np.zeros((K, T + 1)), np.zeros((K, T))     # ends[:, c]: c steps done
    limits = np.full((K, T), np.inf if choosers else float(staleness))
    for c in range(T):
        if choosers:
            limits[:, c] = [chooser.staleness for chooser in choosers]
        for limit in np.unique(limits[:, c]):
            if limit <= c:                                      # all must have done c - limit steps: 0 is no gate
                gates[limits[:, c] == limit, c] = ends[:, c - int(limit)].max()
        starts[:, c] = np.maximum(ends[:, c], gates[:, c])
        ends[:, c + 1] = starts[:, c] + seconds[:, c]
        for r, chooser in enumerate(choosers or ()):
            chooser.observe(starts[r, c] - ends[r, c], seconds[r, c])
    return Schedule(starts, ends[:, 1:], limits, gates)


def backup_rounds(seconds: np.ndarray, backup: int, *, finish: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Synchronous rounds that do not wait for the last `backup` of K workers: (seconds of each (T,), used (K, T)).

    seconds (K, T): drawn for each worker and round. finish=False: late workers drop what they are at, all begin the
    next round together, and a round takes the (K - backup)-th smallest of its K times. finish=True, as BSP(backup=b)
    on servers: they end what they are at, and join the round that is open then, so that rounds take longer and a worker
    may miss some. Of equal times the lower rank counts. Chen et al. (2016), "Revisiting Distributed Synchronous SGD".
    """
    seconds = np.asarray(seconds, np.float64)
    K, T = seconds.shape
    if isinstance(backup, bool) or not isinstance(backup, int) or not 0 <= backup < K:
        raise ValueError(f"backup={backup!r}; a whole number from 0 to K - 1 = {K - 1} is needed")
    used, closes, free = np.zeros((K, T), bool), np.zeros(T + 1), np.zeros(K)
    for t in range(T):
        ends = np.maximum(free, closes[t]) + seconds[:, t]
        in_time = np.argsort(ends, kind="stable")[:K - backup]
        used[in_time, t], closes[t + 1] = True, ends[in_time[-1]]
        if finish:
            free = np.where(free < closes[t + 1], ends, free)       # who was busy all the while has not begun it
    return np.diff(closes), used


def _check_staleness(s) -> None:
    if isinstance(s, bool) or not (s == math.inf or (isinstance(s, (int, np.integer)) and s >= 0)):
        raise ValueError(f"staleness={s!r}; a whole number from 0, or math.inf, is needed")


def _before(ends: np.ndarray) -> np.ndarray:
    """(K, T) when each worker's step before ended, 0 before its first."""
    return np.hstack([np.zeros((len(ends), 1)), ends[:, :-1]])

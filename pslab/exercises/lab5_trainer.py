"""The simulator of 5.6: SSP workers train a small model at given paces. Copied into the student's process.

    loss(w) = Σ λ_j w_j² / 2      a worker reads w, computes for so many milliseconds, adds -lr/K · λ w_read

It begins by the clock rule, and reads a copy of w as long as that is young enough: with clock m while m >= c - s.
Updates are applied in the order in which they end. What is asked for: when the loss is below the target.
"""

from __future__ import annotations

import heapq
import math

CURVATURES, START, LR, TARGET = (1.0, 0.006), (1.0, 1.0), 1.3, 1e-5
MOST_RUNS = 100                          # a search that never ends is stopped here


def trained(ms: list, s: int, lr: float = LR, target: float = TARGET) -> dict:
    """ms [K][T]. {"to_target_ms" (inf: never), "iterations_per_s" of all workers together}"""
    K, T = len(ms), len(ms[0])
    commits, w, updates, now = [0] * K, list(START), 0, 0
    copies, ages = [list(w) for _ in range(K)], [0] * K
    running, waiting = [], list(range(K))
    while True:
        slowest, still = min(commits), []
        for r in waiting:
            if commits[r] - s > slowest:
                still.append(r)
                continue
            if ages[r] < commits[r] - s:                            # the copy is too old: pull
                copies[r], ages[r] = list(w), slowest
            heapq.heappush(running, (now + ms[r][commits[r]], r, list(copies[r])))
        waiting, now = still, running[0][0]
        while running and running[0][0] == now:
            _, r, read = heapq.heappop(running)
            for j, curvature in enumerate(CURVATURES):
                step = lr / K * curvature * read[j]
                w[j] -= step
            commits[r], updates = commits[r] + 1, updates + 1
            waiting.append(r)
        loss = sum(curvature * x * x for curvature, x in zip(CURVATURES, w)) / 2
        if loss <= target or loss > 1e6 or max(commits) == T:       # there, lost for good, or no more paces
            return {"to_target_ms": float(now) if loss <= target else math.inf,
                    "iterations_per_s": 1e3 * updates / now}


def chosen(choose_s, comm, largest: int, ms: list) -> dict:
    """What choose_s(simulate, largest) returns, and the s of every run that it spent."""
    spent = []

    def simulate(s):
        if isinstance(s, bool) or not (isinstance(s, int) and s >= 0):
            raise ValueError(f"simulate({s!r}); a whole number from 0 is needed")
        spent.append(float(s))
        if len(spent) > MOST_RUNS:
            raise RuntimeError(f"{MOST_RUNS} runs are spent; twelve are allowed")
        return trained(ms, s)
    answer = choose_s(simulate, largest)
    return {"answer": answer if isinstance(answer, (int, str)) else repr(answer)[:90], "spent": spent}

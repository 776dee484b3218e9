"""What the exercises of lab 4 share: rooms that would be the answer, a judge's small tools, common sentences.

    job(rng, K, rounds, lr, ...)     what workers of one group do: targets, seconds of computing, copies of letters
    pictured(run, steps)             the run with each worker's computing as it went, for a Gantt chart
    told("4/rows-before-the-step")   the sentences of these ids, for an exercise's misconceptions
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from pslab.comm import Link, Span
from pslab.grade import Misconception, Stalled, TimedOut, Verdict

FORBIDDEN = ("pslab.ps", "pslab.train")                  # servers, schedules, staleness and stragglers live there
LINK = Link(latency_s=1e-3, overhead_s=0.0, bandwidth_Bps=1e12)
P, LR = 3, 2.0


def job(rng, seconds, b: int | None = None, lr: float = LR, unit: int | None = None, copies: Sequence = ()) -> dict:
    """One group. seconds: (K, rounds) of computing. Gradients are whole multiples of `unit`, which sums are divided by.

    copies: [(worker, round, after_s)]: this push comes again, so long after the first one.
    """
    seconds = np.asarray(seconds, float)
    K, rounds = seconds.shape
    unit = K - (b or 0) if unit is None else unit
    w = torch.from_numpy(unit * rng.integers(-9, 10, P)).float()
    targets = torch.from_numpy(unit * rng.integers(-40, 41, (K, rounds, P))).float()
    return {"w": w, "targets": targets, "seconds": seconds.tolist(), "b": b, "lr": lr,
            "copies": [list(copy) for copy in copies]}


def speeds(rng, K: int, rounds: int) -> np.ndarray:
    """(K, rounds) seconds of computing, 2 to 12 ms, no two of a round within a tenth of a millisecond."""
    drawn = np.array([rng.permutation(100)[:K] for _ in range(rounds)]).T
    return 2e-3 + 1e-4 * drawn + 1e-5 * rng.random((K, rounds))


def pictured(run, servers: Sequence[int] = ()):
    """The run, whose results hold `spans` of its workers: their computing stands in the trace, as it went."""
    computing = [(rank, begin_s, end_s) for rank, result in enumerate(run.results)
                 for begin_s, end_s in (result or {}).get("spans", ())]
    workers = {rank for rank, *_ in computing}
    kept = [span for span in run.trace.spans if span.rank not in workers]
    run.trace.spans = [*kept, *(Span(rank, "compute", begin_s, end_s) for rank, begin_s, end_s in computing)]
    return run


def naming(judge: Callable, stalled: str) -> Callable:
    """The judge, with a sentence of the exercise's own where ranks wait without end."""
    def judged(answers, case) -> Verdict:
        try:
            return judge(answers, case)
        except (Stalled, TimedOut) as failed:
            return Verdict(False, failed.expected, failed.seen, failed.where, stalled, failed.run)
    return judged


def described(value) -> str:
    """What came back, on one line."""
    text = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


SENTENCES = {
    "4/rows-before-the-step": "The workers were sent the numbers as they were before the step; take the step first, "
    "then send.",
    "4/nobody-is-told": "Workers wait for new numbers that never come: whoever is owed an answer must be sent one, or "
    "the next round never begins.",
    "4/wrong-numbers": "The numbers are not those of the steps asked for; follow one worker on paper through two "
    "rounds.",
}


def told(*ids: str) -> tuple[Misconception, ...]:
    """The shared misconceptions of these ids."""
    return tuple(Misconception(name, SENTENCES[name]) for name in ids)

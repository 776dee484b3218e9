"""V: what every rank returns, against a reference that knows nothing of the student's way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from ..exercise import CourseError, Verdict
from .compare import difference
from .trials import Job, Trial, readable


def values(job: Job, *, otherwise: str, explains: Mapping[str, Callable[[Trial], Sequence]] | None = None,
           inputs_unchanged: str | None = None, only: Callable[[Trial], bool] | None = None):
    """A judge of results: exact on trials of whole numbers, within K·eps on others.

    explains: {misconception: wrong(trial) -> the results that this belief would give}; a wrong answer that equals one
    of them is told so, any other gets `otherwise`. inputs_unchanged: the misconception of a function that changes its
    arguments; None where it may.
    """

    def judge(answers, case) -> Verdict:
        shown = None
        for trial in job.on(case, only):
            if trial.expected is None or len(trial.expected) != trial.K:
                raise CourseError(f"{job.name}, {trial}: a trial of values needs one expected result for each rank")
            run = job.run(answers, trial)
            found = wrong_rank(trial, run.results)
            if found is not None:
                rank, words = found
                return Verdict(False, f"the {job.result} on every rank", f"rank {rank}: {words}", str(trial),
                               _explained(trial, run.results, explains or {}, otherwise), run)
            if inputs_unchanged is not None and run.changed_inputs:
                rank, argument = run.changed_inputs[0]
                return Verdict(False, "arguments as they were", f"rank {rank}: argument {argument + 1} after comm was "
                               "changed", str(trial), inputs_unchanged, run)
            shown = readable(shown, (trial, run))
        return Verdict(True, f"the {job.result} on every rank", f"right {job.result}", str(shown[0]), run=shown[1])

    return judge


def wrong_rank(trial: Trial, results: Sequence, expected: Sequence | None = None) -> tuple[int, str] | None:
    """(rank, difference in words) of the first rank whose result is not the expected one; None when all are right."""
    for rank, (seen, wanted) in enumerate(zip(results, trial.expected if expected is None else expected, strict=True)):
        words = difference(seen, wanted, rtol=0.0 if trial.exact else trial.K * _eps(wanted))
        if words is not None:
            return rank, words
    return None


def _explained(trial: Trial, results: Sequence, explains: Mapping, otherwise: str) -> str:
    """The misconception whose results are these: only where they differ from the right ones, or nothing is said."""
    for misconception, wrong in explains.items():
        believed = wrong(trial)
        if believed is None or wrong_rank(trial, believed) is None:
            continue
        if wrong_rank(trial, results, believed) is None:
            return misconception
    return otherwise


def _eps(value) -> float:
    """The rounding step of a value's dtype; the largest one inside lists and dicts."""
    if isinstance(value, torch.Tensor):
        return torch.finfo(value.dtype).eps if value.is_floating_point() else 0.0
    if isinstance(value, np.ndarray):
        return float(np.finfo(value.dtype).eps) if value.dtype.kind == "f" else 0.0
    if isinstance(value, (list, tuple)):
        return max(map(_eps, value), default=0.0)
    if isinstance(value, Mapping):
        return max(map(_eps, value.values()), default=0.0)
    return float(np.finfo(np.float64).eps) if isinstance(value, float) else 0.0

"""What a distributed answer is tried on: which arguments on which rank, and what must come back.

    element j of rank r = j·K + r        every element of every rank is different, and its index and rank can be read
                                         off it, so swapped chunks, a forgotten rank and a doubled one all show
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch

from ..exercise import Case, CourseError

WORLD_SIZES = (1, 2, 3, 5, 7)
HIDDEN_WORLD_SIZES = (4, 6, 8, 9, 11)
LARGE = 4_099                      # a prime: no world size divides it
EXACT_BELOW = 2**24                # whole numbers below it are exact in float32, and so are their sums


@dataclass
class Trial:
    """One setting.

    per_rank: the arguments of each rank after `comm`. expected: the result of each rank; None: values are not judged.
    P: a length for labels and bounds. exact: equal bit for bit; else within rtol = K·eps of the result's dtype.
    kwargs: for answers.run (links, seed, ...). facts: whatever bounds and explanations need beside K and P.
    """

    per_rank: Sequence[tuple]
    expected: Sequence | None = None
    P: int = 0
    exact: bool = True
    label: str = ""
    kwargs: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)

    @property
    def K(self) -> int:
        """Ranks."""
        return len(self.per_rank)

    def __str__(self) -> str:
        return self.label or f"K={self.K}, {_elements(self.P)}"


@dataclass(frozen=True)
class Job:
    """The student's function `name`, run as name(comm, *per_rank[rank]) on every trial of a case.

    result: what the function computes, in one word, for sentences such as 'right sum, 3.0x the traffic of the bound'.
    kwargs: for answers.run, in every trial (face='mail', timeout_s=...).
    """

    name: str
    trials: Callable[[Case], Iterable[Trial]]
    result: str = "result"
    kwargs: dict = field(default_factory=dict)

    def on(self, case: Case, only: Callable[[Trial], bool] | None = None) -> list[Trial]:
        """The trials of a case. CourseError when there is none: a criterion that tries nothing would pass anything."""
        trials = [trial for trial in self.trials(case) if only is None or only(trial)]
        if not trials:
            raise CourseError(f"{self.name}: no trial is left to judge")
        return trials

    def run(self, answers, trial: Trial, **kwargs):
        """One run in the student's process."""
        settings = {**self.kwargs, **trial.kwargs, **kwargs}
        return answers.run(self.name, trial.K, per_rank=list(trial.per_rank), **settings)


def world_sizes(case: Case, most: int | None = None) -> list[int]:
    """K = 1, 2, 3, 5, 7, and in hidden cases one more; none above `most`."""
    sizes = list(WORLD_SIZES)
    if not case.public:
        sizes.append(int(case.rng.choice(HIDDEN_WORLD_SIZES)))
    most = max(sizes) if most is None else most
    return [K for K in sizes if most >= K]


def lengths(K: int, case: Case, large: int = LARGE) -> list[int]:
    """P = 0, K − 1 (a chunk is empty), one that K does not divide (for K > 1), and a large one."""
    rest = 1 + int(case.rng.integers(max(K - 1, 1)))
    some = K * (2 + int(case.rng.integers(4))) + (rest if K > 1 else 0)
    return sorted({0, K - 1, some, large})


def readable(old: tuple | None, new: tuple) -> tuple:
    """Of two (trial, run, ...), the one whose run is better to look at: three to five ranks, something sent, short."""
    def score(shown):
        trial, run = shown[:2]
        return 3 <= trial.K <= 5, run.ledger.total() > 0, trial.P >= trial.K, -trial.P

    return new if old is None or score(new) > score(old) else old


def integers(P: int, K: int, rank: int, dtype=torch.float32) -> torch.Tensor:
    """(P,) with element j = j·K + rank."""
    return (torch.arange(P, dtype=torch.int64) * K + rank).to(dtype)


def collective_trials(case: Case, reference: Callable[[list[torch.Tensor]], Sequence], *, most: int | None = None,
                      large: int = LARGE, floats: bool = True, extra: Callable[[int, Case], tuple] | None = None):
    """Trials of a collective f(comm, x, *extra): every K with every P on whole numbers, then random floats for each K.

    reference: from the float64 inputs of all ranks to the results of all ranks, in float64; it is independent of the
    student's way. Random floats lie in [0.5, 1.5), so that no sum cancels and rtol K·eps is a fair bound.
    """
    for K in world_sizes(case, most):
        more = extra(K, case) if extra else ()
        for P in lengths(K, case, large):
            if K * K * P >= EXACT_BELOW:
                raise CourseError(f"K={K}, P={P}: sums of these whole numbers are not exact in float32")
            xs = [integers(P, K, rank) for rank in range(K)]
            yield _trial(xs, reference, more, exact=True)
        if floats:
            P = 3 * K + 1
            xs = [torch.from_numpy(case.rng.random(P)).float() + 0.5 for _ in range(K)]
            yield _trial(xs, reference, more, exact=False)


def _trial(xs: list[torch.Tensor], reference, more: tuple, exact: bool) -> Trial:
    expected = [torch.as_tensor(y).float() for y in reference([x.double() for x in xs])]
    kind = "whole numbers" if exact else "random numbers"
    P = xs[0].numel()
    return Trial([(x, *more) for x in xs], expected, P, exact, f"K={len(xs)}, {_elements(P)}, {kind}")


def _elements(P: int) -> str:
    return "1 element" if P == 1 else f"{P:,} elements"

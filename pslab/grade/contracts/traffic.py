"""B and M: bytes and messages on links, ports and in total, bounded from above and from below.

    above the bound    right sum, 3.0x the traffic of the bound       what was sent was not needed
    below the bound    right sum, with 0 of 48 bytes sent             it came another way: in the simulator ranks share
                                                                      a process, and a Python global must not be a wire
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..exercise import CourseError, Verdict
from .trials import Job, Trial, readable
from .values import wrong_rank


@dataclass(frozen=True)
class Between:
    """What a count may be: from low to high, both included; high None means no upper bound."""

    low: int = 0
    high: int | None = None

    def __post_init__(self):
        if self.low < 0 or (self.high is not None and self.high < self.low):
            raise ValueError(f"a bound from {self.low} to {self.high}; 0 <= low <= high is needed")

    def __str__(self) -> str:
        if self.high is None:
            return f"at least {self.low:,}"
        if self.low == self.high:
            return f"{self.low:,}"
        return f"{self.low:,} to {self.high:,}" if self.low else f"at most {self.high:,}"


def exactly(count: int) -> Between:
    return Between(int(count), int(count))


def between(low: int, high: int) -> Between:
    return Between(int(low), int(high))


def at_most(count: int) -> Between:
    return Between(0, int(count))


def at_least(count: int) -> Between:
    return Between(int(count), None)


def traffic(job: Job, *, total: Callable | None = None, out: Callable | None = None, into: Callable | None = None,
            link: Callable | None = None, kind: str | None = None, more: str, less: str,
            only: Callable[[Trial], bool] | None = None):
    """A judge of payload bytes.

    total(trial), out(trial, rank), into(trial, rank), link(trial, src, dst) -> Between (or None: not bounded).
    kind: 'vals', 'keys', 'header', 'retry', or None for all. more, less: misconceptions above and below the bound.
    """
    bounds = _Bounds(total, out, into, link)

    def judge(answers, case) -> Verdict:
        return _judge(job, answers, job.on(case, only), bounds, _Bytes(kind), more, less)

    return judge


def messages(job: Job, *, total: Callable | None = None, out: Callable | None = None, into: Callable | None = None,
             link: Callable | None = None, more: str, less: str, only: Callable[[Trial], bool] | None = None):
    """A judge of message counts; arguments as of `traffic`."""
    bounds = _Bounds(total, out, into, link)

    def judge(answers, case) -> Verdict:
        return _judge(job, answers, job.on(case, only), bounds, _Messages(), more, less)

    return judge


@dataclass(frozen=True)
class _Bounds:
    total: Callable | None
    out: Callable | None
    into: Callable | None
    link: Callable | None

    def __post_init__(self):
        if not (self.total or self.out or self.into or self.link):
            raise ValueError("no bound is given; one of total, out, into, link is needed")

    def each(self, trial: Trial, count):
        """(what, seen, bound) for every bounded place of a run, the total first."""
        ranks = range(trial.K)
        if self.total:
            yield "in total", count.total(), self.total(trial)
        if self.out:
            yield from ((f"out of rank {r}", count.out(r), self.out(trial, r)) for r in ranks)
        if self.into:
            yield from ((f"into rank {r}", count.into(r), self.into(trial, r)) for r in ranks)
        if self.link:
            yield from ((f"from rank {s} to rank {d}", count.link(s, d), self.link(trial, s, d))
                        for s in ranks for d in ranks if s != d)


class _Bytes:
    unit, word = "bytes", "traffic"

    def __init__(self, kind: str | None):
        self.kind, self.ledger = kind, None

    def of(self, ledger):
        self.ledger = ledger
        return self

    def total(self):
        return self.ledger.total(self.kind)

    def out(self, rank):
        return self.ledger.port(rank, self.kind)[0]

    def into(self, rank):
        return self.ledger.port(rank, self.kind)[1]

    def link(self, src, dst):
        return self.ledger.link(src, dst, self.kind)


class _Messages:
    unit, word = "messages", "messages"

    def of(self, ledger):
        self.ledger = ledger
        return self

    def total(self):
        return self.ledger.messages()

    def out(self, rank):
        return self.ledger.messages(src=rank)

    def into(self, rank):
        return self.ledger.messages(dst=rank)

    def link(self, src, dst):
        return self.ledger.messages(src, dst)


def _judge(job, answers, trials, bounds: _Bounds, count, more: str, less: str) -> Verdict:
    shown = None
    for trial in trials:
        run = job.run(answers, trial)
        for what, seen, bound in bounds.each(trial, count.of(run.ledger)):
            if bound is None:
                continue
            if bound.high is not None and seen > bound.high:
                return _too_many(job, trial, run, count, what, seen, bound, more)
            if seen < bound.low:
                return _too_few(job, trial, run, count, what, seen, bound, less)
            shown = readable(shown, (trial, run, what, seen, bound))
    if shown is None:
        raise CourseError(f"{job.name}: no trial has a bound on {count.unit}")
    trial, run, what, seen, bound = shown
    ratio = seen / bound.high if bound.high else None
    return Verdict(True, f"{bound} {count.unit} {what}", f"{seen:,} {count.unit} {what}", str(trial), None, run, ratio)


def _too_many(job, trial, run, count, what, seen, bound, misconception) -> Verdict:
    ratio = seen / bound.high if bound.high else None
    how = f"{ratio:.1f}x the {count.word} of the bound" if ratio else f"{seen:,} {count.unit} where none are needed"
    if ratio and f"{ratio:.1f}" == "1.0":
        how = f"{seen - bound.high:,} {count.unit} more than the bound"
    return Verdict(False, f"{bound} {count.unit} {what}",
                   f"{_outcome(job, trial, run)}, {how}: {seen:,} {count.unit} {what}",
                   str(trial), misconception, run, ratio)


def _too_few(job, trial, run, count, what, seen, bound, misconception) -> Verdict:
    return Verdict(False, f"{bound} {count.unit} {what}",
                   f"{_outcome(job, trial, run)}, with {seen:,} of the {bound.low:,} {count.unit} {what} that it takes",
                   str(trial), misconception, run, seen / bound.low)


def _outcome(job, trial, run) -> str:
    """'right sum' or 'wrong sum': whether the values are as expected, beside the cost."""
    return ("right " if trial.expected is None or wrong_rank(trial, run.results) is None else "wrong ") + job.result

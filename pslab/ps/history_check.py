"""Is a recorded run what its consistency model promises? Every fact that is wrong is a sentence.

    for finding in check(history, SSP(2), reached=True):
        print(finding)      # worker 1, clock 3, key 5 of table 't': expected push 0 of worker 0 (its clock 0), ...

    rule        what it demands
    sum         rows are sums of pushes that were made, none twice, none before it was begun
    bound       a pull at clock c sees every push stamped <= c - staleness - 1
    round       BSP: and none stamped c or later          ahead   SSP: none stamped later than c + staleness
    own         a worker sees its own earlier pushes (SSP with staleness > 0, ASP, BoundedDelay as far as its delay)
    monotonic   what a worker saw of a row, its later pulls see as well
    gate        nobody begins round c before every worker has ended c - staleness rounds (backup: all but so many)
    delay       BoundedDelay: nothing of iteration t begins before the worker's own requests up to t - tau - 1 ended
    clock       a worker's clock counts its calls of clock(): 0, 1, 2, ...
    final       at the end every push is in its rows exactly once; with backup workers: or was dropped for good
    set         nothing that ended before a set began is beside it in a row
    ranges      clocks of ranges that a server kept are those of the pushes
    reached     (asked for) somebody was as far ahead as the model allows: a stricter model in disguise never is
    fresh       (asked for) a pull sees every push that was acknowledged before the pull began: steps on arrival

A history that proves nothing (no pull, no final rows) is a finding too: rule `empty`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from .consistency import Consistency
from .history_ops import WRITES, Op
from .history_reads import judge_reads
from .history_record import History
from .vector_clock import VectorClock


@dataclass(frozen=True)
class Finding:
    """Something that should not be. worker, clock, table and key where they apply; expected and seen are clauses."""

    rule: str
    expected: str
    seen: str
    worker: int | None = None
    clock: int | None = None
    table: str = ""
    key: int | None = None

    def __str__(self) -> str:
        where = [] if self.worker is None else [f"worker {self.worker}"]
        where += [] if self.clock is None else [f"clock {self.clock}"]
        if self.table:
            where.append(f"table {self.table!r}" if self.key is None else f"key {self.key} of table {self.table!r}")
        return f"{', '.join(where) or 'the run'}: expected {self.expected}; seen: {self.seen} [{self.rule}]"


class Findings(list):
    """The findings, at most `limit` of a rule. Empty: the history keeps every promise.

    facts: rule -> how many facts it looked at; total: rule -> how many were wrong. lead: by how many rounds somebody
    was ahead of the slowest, at most, as a round began; lag: how old a push was, at most, that a pull still lacked
    (clock of the pull minus the push's).
    """

    def __init__(self, limit: int):
        super().__init__()
        self.limit, self.facts, self.total, self.lead, self.lag = limit, Counter(), Counter(), 0, 0

    def judge(self, rule: str, holds: bool, expected, seen, **where) -> None:
        """One fact. expected and seen may be functions: they are called only where the fact is wrong."""
        self.facts[rule] += 1
        if holds:
            return
        self.total[rule] += 1
        if self.total[rule] <= self.limit:
            self.append(Finding(rule, expected() if callable(expected) else expected,
                                seen() if callable(seen) else seen, **where))

    @property
    def rules(self) -> set[str]:
        """The rules that were broken."""
        return set(self.total)

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or f"every promise is kept ({sum(self.facts.values())} facts)"


def check(history: History, model: Consistency | Mapping[str, Consistency], *, workers=None, reached: bool = False,
          fresh: bool = False, own: bool | None = None, final: bool = True, begins: str = "clock",
          limit: int = 10) -> Findings:
    """Hold a history against a consistency model, or against one for each table; see the module for the rules.

    workers: all workers of the job (default: those in the history). own: whether a worker must see its own writes
    (default: as the model promises; ASP promises it only where no letter overtakes another). final: whether the rows
    at the end must have been recorded. begins: what begins a round, "clock" (the return of clock(), as in this library)
    or "pull" (the end of its first pull, for a server that lets clock() pass and keeps pulls waiting).
    reached: a straggler was planted, so that somebody must have been `staleness` rounds ahead, or without a bound as
    many as there are: the straggler's first round must then last longer than all the others'.
    """
    if begins not in ("clock", "pull"):
        raise ValueError(f"begins={begins!r}; allowed: 'clock', 'pull'")
    models = {table: model for table in history.tables} if isinstance(model, Consistency) else dict(model)
    if unknown := set(history.tables) - set(models):
        raise ValueError(f"model names the tables {sorted(models)}; this history has {sorted(unknown)} as well")
    workers = history.workers if workers is None else sorted(workers)
    findings = Findings(limit)
    run = Run(history, workers)
    findings.judge("empty", any(op.kind == "pull" and op.end_s is not None for op in history.ops),
                   "pulls, to be judged", "none that ended")
    _clocks(run, models, findings)
    _gates(run, models, findings, reached, begins)
    _delays(run, models, findings, reached)
    for table, of_table in models.items():
        judge_reads(run, table, of_table, findings, own, fresh)
    if final:
        findings.judge("empty", history.final is not None, "the rows at the end", "nobody recorded them")
    for table, ranges in history.ranges.items():
        _ranges(run, table, models[table], ranges, findings)
    return findings


class Run:
    """A history, looked up: when who was at which clock, and which writes there are."""

    def __init__(self, history: History, workers: list[int]):
        self.history, self.workers = history, workers
        self.programs = {worker: [] for worker in workers}
        self.writes: dict[tuple, Op] = {}                       # (table, worker, number) -> op
        for op in history.ops:
            self.programs.setdefault(op.worker, []).append(op)
            if op.kind in WRITES:
                self.writes[op.table, op.worker, op.number] = op
        self.ends = {worker: [(op.start_s, math.inf if op.kind == "bye" else op.clock) for op in program
                              if op.kind in ("clock", "bye")] for worker, program in self.programs.items()}

    def clock_at(self, worker: int, moment_s: float) -> float:
        """How many rounds a worker had ended by calling clock() at that moment; infinity after its goodbye."""
        return max((clock for start_s, clock in self.ends[worker] if start_s <= moment_s), default=0)

    def ended_s(self, round_: int, all_but: int = 0) -> float:
        """When all workers but so many had ended a round."""
        moments_s = sorted(min((start_s for start_s, clock in self.ends[worker] if clock > round_), default=math.inf)
                           for worker in self.workers)
        return moments_s[max(0, len(moments_s) - all_but - 1)]


def models_of(model: Consistency) -> list[Consistency]:
    """The models of a table's key ranges; of most tables it is one."""
    return [part for _, _, part in model.ranges] if hasattr(model, "ranges") else [model]


def _clocks(run: Run, models: dict, findings: Findings) -> None:
    jumps = any(getattr(part, "backup", 0) for model in models.values() for part in models_of(model))
    for worker, program in run.programs.items():
        clock = None
        for op in program:
            if clock is None:
                clock = op.clock - (op.kind == "clock")         # a worker that starts again goes on from its clock
            right = op.clock > clock if jumps and op.kind == "clock" else op.clock == clock + (op.kind == "clock")
            findings.judge("clock", right, f"clock {clock + (op.kind == 'clock')} at its {op.kind}",
                           f"clock {op.clock}", worker=worker, clock=clock, table=op.table)
            if op.kind == "clock":
                clock = op.clock


def _begins(program: list[Op], begins: str):
    """(clock, moment) of every round that a worker began."""
    if begins == "clock":
        yield from ((op.clock, op.end_s) for op in program if op.kind == "clock" and op.end_s is not None)
        return
    first: dict[int, float] = {}
    for op in program:
        if op.kind == "pull" and op.end_s is not None:
            first[op.clock] = min(op.end_s, first.get(op.clock, math.inf))
    yield from first.items()


def _gates(run: Run, models: dict, findings: Findings, reached: bool, begins: str) -> None:
    gates = {(model.staleness, getattr(model, "backup", 0)) for model in models.values()}
    own_delay = any(hasattr(part, "tau") for model in models.values() for part in models_of(model))
    last = 0
    for worker, program in run.programs.items():
        for clock, moment_s in _begins(program, begins):
            others = sorted((clock if other == worker else run.clock_at(other, moment_s), other)
                            for other in run.workers)
            for staleness, backup in gates:
                behind, slowest = others[min(backup, len(others) - 1)]
                findings.lead, last = max(findings.lead, clock - behind), max(last, clock)
                if staleness < math.inf:
                    findings.judge("gate", behind >= clock - staleness,
                                   f"to begin only when {_who(backup)} had ended {_rounds(clock - staleness)}",
                                   f"worker {slowest} had ended {behind} as it began", worker=worker, clock=clock)
    if reached and gates and not own_delay:
        staleness, needed = min(gates)[0], min(min(gates)[0], last)
        bound = "nobody is held up" if staleness == math.inf else f"the staleness is {staleness}"
        findings.judge("reached", findings.lead >= needed and last > 0,
                       f"somebody to begin a round {needed} ahead of the slowest: {bound}",
                       f"never more than {findings.lead} ahead in {_rounds(last)}")


def _rounds(number: float) -> str:
    return f"{number} round{'s' * (number != 1)}"


def _who(backup: int) -> str:
    return f"all workers but {backup}" if backup else "every worker"


def _delays(run: Run, models: dict, findings: Findings, reached: bool) -> None:
    for table, model in models.items():
        for tau in {part.tau for part in models_of(model) if hasattr(part, "tau")}:
            longest = last = 0
            for worker, program in run.programs.items():
                ops = [op for op in program if op.table == table and op.kind != "init"]
                for place, op in enumerate(ops):
                    open_ = [earlier for earlier in ops[:place] if earlier.under_way(op.start_s)]
                    oldest = min(open_, key=lambda earlier: earlier.clock, default=op)
                    longest, last = max(longest, op.clock - oldest.clock), max(last, op.clock)
                    needed = op.clock - tau - 1
                    findings.judge("delay", oldest.clock > needed,
                                   f"its {op.kind} to begin when all its requests up to clock {needed} had ended",
                                   lambda oldest=oldest: f"its {oldest.kind} of clock {oldest.clock} was under way",
                                   worker=worker, clock=op.clock, table=table)
            if reached:
                findings.judge("reached", longest >= min(tau, last) and last > 0,
                               f"a request to begin while one of {min(tau, last)} iterations before was under way",
                               f"never more than {longest} iterations before", table=table)


def _ranges(run: Run, table: str, model: Consistency, ranges: list, findings: Findings) -> None:
    """Of every key that was pushed, and of the ends of each range, the newest push of each worker."""
    final = (run.history.final or {}).get(table, {}) if getattr(model, "backup", 0) else None
    newest: dict[int, dict[int, int]] = {}
    unsure: set[tuple[int, int]] = set()
    for (name, worker, _), op in run.writes.items():
        if name == table and op.kind == "push":
            for key in op.keys:
                if op.may_be_lost:
                    unsure.add((key, worker))
                if final is not None and (op.worker, op.number) not in final.get(key, {}):
                    continue                                    # it came too late, and was dropped
                newest.setdefault(key, {})[worker] = max(op.clock, newest.get(key, {}).get(worker, -1))
    keys = {key for lo, hi, _ in ranges for key in (lo, hi - 1)} | set(newest)
    for key in keys:
        clock = VectorClock()                                   # of servers whose keys lie between each other's
        for held in (held for lo, hi, held in ranges if lo <= key < hi):
            clock = clock.merge(VectorClock(held))
        known, kept = ({worker: at for worker, at in clocks.items() if (key, worker) not in unsure}
                       for clocks in (newest.get(key, {}), dict(clock)))
        findings.judge("ranges", kept == known, f"the clock {known} for its range", f"{kept}", table=table, key=key)

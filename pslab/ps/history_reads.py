"""What pulls saw, and what the rows hold at the end, against the pushes that were made: part of history_check.py.

    pushes on a key      0/0 (clock 0)   1/0 (clock 0)   0/1 (clock 1)   1/1 (clock 1)   0/2 (clock 2)
    a pull of worker 1 at clock 2, BSP:     all of clocks 0 and 1, nothing of clock 2
                               SSP(1):      all of clock 0, its own 1/1, perhaps the others

A `set` overwrites: what was pushed before it is gone, so a push is excused that did not begin after a set which the
pull saw had ended.
"""

from __future__ import annotations

import math
from collections import defaultdict

from .history_ops import Op


def judge_reads(run, table: str, model, findings, own: bool | None, fresh: bool) -> None:
    """Every pull of a table, and its rows at the end."""
    writes = defaultdict(list)                                  # key -> its pushes and sets
    for (name, _, _), op in run.writes.items():
        if name == table:
            for key in op.keys:
                writes[key].append(op)
    final = (run.history.final or {}).get(table, {}) if run.history.final is not None else None
    for worker, program in run.programs.items():
        places = {id(op): place for place, op in enumerate(program)}
        before: dict[int, list] = defaultdict(list)             # key -> pulls of this worker, not yet in `held`
        held: dict[int, dict] = defaultdict(dict)               # key -> writes that it saw, and when
        for place, op in enumerate(program):
            if op.kind != "pull" or op.table != table or op.end_s is None:
                continue
            findings.judge("sum", not op.unread, "rows that are sums of pushes", op.unread,
                           worker=worker, clock=op.clock, table=table)
            if op.saw is None:
                findings.judge("empty", False, "to know what its pull saw", "neither stamps nor marks were recorded",
                               worker=worker, clock=op.clock, table=table)
                continue
            for key, seen in op.saw.items():
                read = Read(run, table, model, op, key, seen, findings)
                read.judge(writes[key], places, place, own, fresh, final)
                for other in [other for other in before[key] if other.ended_by(op.start_s)]:
                    before[key].remove(other)
                    held[key].update(dict.fromkeys(other.saw[key], other))
                read.monotonic(held[key])
                before[key].append(op)
    if final is not None:
        _judge_final(table, model, writes, final, findings)


class Read:
    """One key of one pull."""

    def __init__(self, run, table: str, model, op: Op, key: int, seen: dict, findings):
        self.run, self.op, self.key, self.seen, self.findings = run, op, key, seen, findings
        self.model, self.ahead = model.at(key) if hasattr(model, "at") else model, model.staleness
        self.where = {"worker": op.worker, "clock": op.clock, "table": table, "key": key}
        self.table, self.backup = table, getattr(model, "backup", 0)
        known = [run.writes.get((table, *write)) for write in seen]
        self.sets = [write for write in known if write is not None and write.kind == "set"]
        self.known = {write: op for write, op in zip(seen, known) if op is not None and key in op.keys}

    def judge(self, writes: list[Op], places: dict, place: int, own: bool | None, fresh: bool, final) -> None:
        """places: of this worker's operations in its program, by id; place: of this pull."""
        self._sums()
        self._too_new()
        self._missing(writes, places, place, own, fresh, final)
        for one in self.sets:
            self._outdated(one, writes)
            for other in self.known.values():
                self.findings.judge("set", not overwritten(other, one, self.model), lambda one=one: f"nothing from "
                                    f"before {name(one)}", lambda other=other: name(other), **self.where)

    def monotonic(self, held: dict) -> None:
        """held: the writes that this worker's pulls saw that had ended before this one began."""
        self.findings.facts["monotonic"] += len(held.keys() & self.seen.keys())
        for write in held.keys() - self.seen.keys():
            push, pull = self.run.writes.get((self.table, *write)), held[write]
            self.findings.judge("monotonic", push is None or self._excused(push),
                                lambda push=push, pull=pull: f"{name(push)}, which its pull at clock {pull.clock} saw",
                                "a row without it", **self.where)

    def _sums(self) -> None:
        for write, times in self.seen.items():
            self.findings.judge("sum", write in self.known, "only pushes that were made",
                                lambda write=write: f"push {write[1]} of worker {write[0]}, which there is not",
                                **self.where)
            op = self.known.get(write)
            if op is not None:
                self.findings.judge("sum", times == 1, lambda op=op: f"{name(op)} once",
                                    f"it is in the row {times} times", **self.where)
                self.findings.judge("sum", op.start_s <= self.op.end_s, "no push before it was begun",
                                    lambda op=op: f"{name(op)}, begun {op.start_s - self.op.end_s:g} s later",
                                    **self.where)

    def _too_new(self) -> None:
        model, clock = self.model, self.op.clock
        pushes = [op for op in self.known.values() if op.kind == "push"]
        if model.in_rounds:
            for op in pushes:
                if self.backup:                     # a late worker sees rounds that were closed without it
                    right = op.clock < clock or self.run.ended_s(op.clock, self.backup) <= self.op.end_s
                else:
                    right = op.clock < clock
                self.findings.judge("round", right, f"only pushes of rounds before {clock}",
                                    lambda op=op: f"{name(op)}", **self.where)
        elif self.ahead < math.inf:
            until = max([clock, *(c for start_s, c in self.run.ends[self.op.worker] if start_s <= self.op.end_s)])
            for op in pushes:
                self.findings.judge("ahead", op.clock <= until + self.ahead,
                                    f"no push stamped later than {until + self.ahead}",
                                    lambda op=op: f"{name(op)}", **self.where)

    def _missing(self, writes: list[Op], places: dict, place: int, own: bool | None, fresh: bool, final) -> None:
        model, clock, tau = self.model, self.op.clock, getattr(self.model, "tau", None)
        own = promises_own(model, self.run.history.may_overtake) if own is None else own and not model.in_rounds
        for op in writes:
            if op.kind != "push":
                continue
            mine = places.get(id(op), place) < place
            there = (op.worker, op.number) in self.seen
            if self.backup and final is not None:
                used = (op.worker, op.number) in final.get(self.key, {})
                over = any(one.kind == "set" and (one.worker, one.number) in final.get(self.key, {})
                           and not one.ended_by(op.start_s) for one in writes)     # then nobody knows
                if op.clock < clock and not over:
                    self.findings.judge("bound", there == used, lambda op=op, used=used: f"{name(op)} "
                                        f"{'to be there as it is at the end' if used else 'never: it was dropped'}",
                                        "a row that has it" if there else "a row without it", **self.where)
                continue
            if op.clock <= clock - model.staleness - 1:
                rule, why = "bound", f"every push stamped {clock - model.staleness - 1} or earlier"
            elif mine and not model.in_rounds and tau is not None and op.clock <= clock - tau - 1:
                rule, why = "own", f"its own pushes up to clock {clock - tau - 1}"
            elif mine and own and tau is None:
                rule, why = "own", "its own earlier pushes"
            elif fresh and not model.in_rounds and op.ended_by(self.op.start_s):
                rule, why = "fresh", "every push acknowledged before the pull began"
            else:
                if not there and op.clock < clock and not self._excused(op):
                    self.findings.lag = max(self.findings.lag, clock - op.clock)
                continue
            self.findings.judge(rule, there or op.may_be_lost or self._excused(op),
                                lambda op=op, why=why: f"{why}, so {name(op)}",
                                lambda: f"a row without it, of {listed(self.seen)}", **self.where)

    def _excused(self, push: Op) -> bool:
        """Whether a set that this pull saw may have come after the push."""
        return any(push is not one and not one.ended_by(push.start_s) for one in self.sets)

    def _outdated(self, one: Op, writes: list[Op]) -> None:
        for other in writes:
            if other.kind == "set" and other is not one:
                newer = one.ended_by(other.start_s) and other.ended_by(self.op.start_s)
                self.findings.judge("bound", not newer or (other.worker, other.number) in self.seen,
                                    lambda other=other: f"{name(other)}, which had ended",
                                    lambda: f"{name(one)}, from before it", **self.where)


def overwritten(other: Op, one: Op, model) -> bool:
    """Whether a write cannot be there beside a set; what waits for its round becomes a step after it."""
    return other is not one and other.ended_by(one.start_s) and not (other.kind == "push" and model.in_rounds)


def promises_own(model, may_overtake: bool) -> bool:
    """Whether a pull must see its worker's earlier pushes."""
    if model.in_rounds:
        return False
    return model.reads_own or not may_overtake


def name(op: Op) -> str:
    return f"{op.kind} {op.number} of worker {op.worker} (its clock {op.clock})"


def listed(seen: dict) -> str:
    by_worker = defaultdict(list)
    for worker, number in sorted(seen):
        by_worker[worker].append(str(number))
    return "; ".join(f"worker {worker}'s pushes {' '.join(numbers)}" for worker, numbers in by_worker.items()) or "none"


def _judge_final(table: str, model, writes: dict, final: dict, findings) -> None:
    """At the end every push is there once; what a set overwrote is not."""
    dropped = defaultdict(lambda: defaultdict(set))                 # key -> round -> workers whose push is missing
    for key, ops in writes.items():
        seen, backup = final.get(key, {}), getattr(model.at(key) if hasattr(model, "at") else model, "backup", 0)
        where = {"table": table, "key": key}
        findings.judge("final", "unread" not in seen, "a row that is a sum of pushes", lambda seen=seen: seen["unread"],
                       **where)
        if "unread" in seen:
            continue
        sets = [op for op in ops if op.kind == "set" and (op.worker, op.number) in seen]
        for op in ops:
            times = seen.get((op.worker, op.number), 0)
            if op.kind == "set":
                over = any(op is not one and not one.ended_by(op.start_s) for one in sets)
                findings.judge("final", times == 1 or over or op.end_s is None, f"{name(op)} at the end",
                               "a row without it", worker=op.worker, clock=op.clock, **where)
                continue
            excused = op.end_s is None or any(not one.ended_by(op.start_s) for one in sets)
            if not times and backup:
                if not excused:
                    dropped[key][op.clock].add(op.worker)
                continue
            findings.judge("final", times == 1 or (not times and excused), f"{name(op)} once at the end",
                           "it is lost" if not times else f"it is in the row {times} times",
                           worker=op.worker, clock=op.clock, **where)
        for one in sets:
            for op in ops:
                gone = overwritten(op, one, model.at(key) if hasattr(model, "at") else model)
                findings.judge("set", not gone or (op.worker, op.number) not in seen,
                               lambda one=one: f"nothing from before {name(one)} at the end",
                               lambda op=op: f"it is {name(op)}", **where)
        for write in seen:
            findings.judge("final", any(write == (op.worker, op.number) for op in ops), "only pushes that were made",
                           lambda write=write: f"push {write[1]} of worker {write[0]}, which there is not", **where)
        for round_, workers in dropped[key].items():
            findings.judge("final", len(workers) <= backup, f"at most {backup} workers dropped from round {round_}",
                           lambda workers=workers: f"workers {sorted(workers)} are missing", **where)

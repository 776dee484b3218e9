"""5.2: reads through a cache of one's own, under SSP with a staleness of s.

    iteration          0  1  2  3  4  5  6  7        s = 3: a copy with `clock` m may be read while m >= c - s
    pulls of a row     ^           ^                 ⌈8 / (3 + 1)⌉ = 2, where everybody else is at least as far

What a read at iteration c has to hold: every update of the iterations up to c - s - 1, whoever made it, and all of
the reader's own. Reads are told apart by marks (pslab.ps.history): each update adds a power of 8 in a column of its
worker's, so a row tells which updates are in it.
"""

from __future__ import annotations

import math

from pslab.comm import CommError, Link, SimWorld
from pslab.grade import Case, Criterion, Exercise, Verdict
from pslab.ps import SSP
from pslab.ps import history as records

from .lab5_cluster import cached
from .lab5_common import FORBIDDEN, profile
from .lab5_reads_texts import MISCONCEPTIONS

NAME = "CachedRows"
LINK = Link(latency_s=0.0, overhead_s=0.0, bandwidth_Bps=1e30)
HOT, CLOCKS = 5, 64
BY_RULE = {"bound": "5/too-stale", "monotonic": "5/too-stale", "own": "5/own-updates-missing", "sum": "5/not-a-sum",
           "final": "5/update-lost"}


class Reference:
    """The cache as it should be; `slip` makes it one of the usual others."""

    def __init__(self, server, s: int, slip: str = ""):
        self.server, self.s, self.slip = server, s, slip
        self.copies, self.mine, self.late, self.c = {}, {}, [], 0

    def read(self, key: int, c: int):
        self.c = c
        if self._too_old(key, c):
            self._push_late()
            row, clock = self.server.pull(key)
            if self.slip == "5/own-updates-twice":
                row = row + sum(self.mine.get(key, []))
            self.copies[key] = [row, c if self.slip == "5/age-of-the-pull" else clock]
            if self.slip == "5/one-age-for-all":
                for copy in self.copies.values():
                    copy[1] = clock
        row = self.copies[key][0]
        return row if self.slip == "5/copy-handed-out" else row.clone()

    def _too_old(self, key: int, c: int) -> bool:
        if key not in self.copies or self.slip == "5/pulls-every-time":
            return True
        if self.slip == "5/pulled-once":
            return False
        off = {"5/kept-one-too-long": -1, "5/dropped-one-early": 1}.get(self.slip, 0)
        return self.copies[key][1] < c - self.s + off

    def add(self, key: int, delta) -> None:
        if self.slip == "5/update-kept-back":
            self.late.append((key, delta.clone()))
        else:
            self.server.push(key, delta)
        self.mine.setdefault(key, []).append(delta.clone())
        if key in self.copies and self.slip != "5/own-updates-missing":
            self.copies[key][0] += delta
        if key in self.copies and self.slip == "5/own-update-is-news":
            self.copies[key][1] = self.c

    def _push_late(self) -> None:
        for key, delta in self.late:
            self.server.push(key, delta)
        self.late = []


SLIPS = ("5/pulls-every-time", "5/pulled-once", "5/kept-one-too-long", "5/dropped-one-early", "5/age-of-the-pull",
         "5/one-age-for-all", "5/own-update-is-news", "5/own-updates-missing", "5/own-updates-twice",
         "5/update-kept-back", "5/copy-handed-out")


# ---- plans ----------------------------------------------------------------------------------------------------------


def hot_row(s: int) -> dict:
    """64 iterations; worker 1 is the slower one, so that the server's clock is always its own when it pulls. It adds to
    the row for the first 30."""
    nothing = [[]] * CLOCKS
    return {"s": s, "dim": 1, "ms": [[9] * CLOCKS, [10] * CLOCKS], "reads": [nothing, [[HOT]] * CLOCKS],
            "adds": [nothing, [[(HOT, [1.0])]] * 30 + nothing[30:]], "again": [nothing] * 2}


def mixed(rng, s: int, K: int = 3, T: int = 11, kind: str = "") -> tuple[dict, records.Marks]:
    """Workers of changing speed, a row that all read at each iteration and two that are read now and then."""
    marks = records.Marks(K, 2 * T, factor=1.0)
    reads, adds, again = [], [], []
    for worker in range(K):
        written = 0
        mine = [[], [], []]
        for _ in range(T):
            keys = [HOT, *(key for key in (2, 77) if rng.random() < 0.4)]
            changed = [HOT] if rng.random() < 0.7 else []
            changed += [int(rng.choice([2, 77, 901]))] if rng.random() < 0.6 else []
            mine[0].append(rng.permutation(keys).tolist())
            mine[1].append([(key, marks.vals(worker, written + i, 1)[0].tolist()) for i, key in enumerate(changed)])
            mine[2].append([key for key in changed if rng.random() < 0.5])
            written += len(changed)
        reads.append(mine[0]), adds.append(mine[1]), again.append(mine[2])
    return {"s": s, "dim": marks.dim, "ms": profile(rng, K, T, kind), "reads": reads, "adds": adds,
            "again": again}, marks


# ---- judging --------------------------------------------------------------------------------------------------------


def _run(answers, plan: dict, trace: bool = True):
    return answers.run(NAME, len(plan["ms"]) + 1, plan, within=cached, face="mail", link=LINK, trace=trace)


def simulated(plan: dict, slip: str = "") -> list:
    """What ranks note down with the reference, or with a slip; nothing where it gets stuck."""
    def program(comm):
        return cached(lambda server, s: Reference(server, s, slip), comm, plan)
    try:
        return SimWorld(len(plan["ms"]) + 1, link=LINK, trace=False).run(program).results
    except CommError:
        return []


def _explained(plans: list[dict], results: list[list], otherwise: str) -> str:
    """The slip with which all these plans end as they did."""
    seen = [_plain(told) for told in results]
    if seen == [_plain(simulated(plan)) for plan in plans]:
        return otherwise
    return next((slip for slip in SLIPS if all(_plain(simulated(plan, slip)) == told
                                               for plan, told in zip(plans, seen))), otherwise)


def _plain(results: list):
    if not results:
        return None
    reads = [[(note[1], note[2], note[5].tolist()) for note in worker["notes"] if note[0] == "read"]
             for worker in results[:-1]]
    return reads, [list(pull) for pull in results[-1]["pulls"]]


def pulls_of_a_hot_row(answers, case: Case) -> Verdict:
    """⌈64 / (s + 1)⌉ pulls, exactly."""
    plans = [hot_row(s) for s in (0, 1, 2, 3)]
    results = [_run(answers, plan, trace=False).results for plan in plans]
    counted = [len(told[-1]["pulls"]) for told in results]
    for s, seen in enumerate(counted):
        wanted = math.ceil(CLOCKS / (s + 1))
        if seen != wanted:
            why = _explained(plans, results, "5/too-stale" if seen < wanted else "5/pull-without-need")
            return Verdict(False, f"{wanted} pulls of the row in {CLOCKS} iterations", f"{seen}",
                           f"s={s}, read by the slower of two workers", why, None, seen / wanted)
    return Verdict(True, "64, 32, 22, 16", ", ".join(map(str, counted)) + " pulls", "64 iterations, s = 0, 1, 2, 3")


def history_of(results: list, plan: dict, marks: records.Marks) -> records.History:
    """The notes of a run as a history."""
    ops, names = [], {"read": "pull", "add": "push", "clock": "clock"}
    for worker, part in enumerate(results[:-1]):
        number = 0
        for kind, key, c, start_s, end_s, *row in part["notes"]:
            op = records.Op(names[kind], worker, c, start_s, end_s, "" if kind == "clock" else "rows",
                    () if kind == "clock" else (key,))
            if kind == "add":
                op.number, number = number, number + 1
            if kind == "read":
                op.saw = {}
                try:
                    op.saw[key] = marks.read(row[0].numpy())
                except ValueError as why:
                    op.unread = f"key {key}: {why}"
            ops.append(op)
    history = records.History(ops)
    history.final = {"rows": {}}
    for key, row in results[-1]["rows"].items():
        try:
            history.final["rows"][int(key)] = marks.read(row.numpy())
        except ValueError as why:
            history.final["rows"][int(key)] = {"unread": str(why)}
    return history


def _plans(rng, count: int):
    for number in range(count):
        s = (1, 2, 3)[number % 3]
        yield (*mixed(rng, s, kind=("persistent", "transient", "mixed")[number % 3]), f"three workers, s={s}")


def held_against(rules: tuple[str, ...], passed: str, count: int = 3):
    """A judge of these rules of the history checker."""
    def judge(answers, case: Case) -> Verdict:
        facts = 0
        for plan, marks, where in _plans(case.rng, count):
            run = _run(answers, plan)
            found = records.check(history_of(run.results, plan, marks), SSP(plan["s"]), own=True)
            broken = sorted((finding for finding in found if finding.rule in rules), key=lambda f: rules.index(f.rule))
            if broken:
                first = broken[0]
                at = f"{where}; worker {first.worker}, iteration {first.clock}, key {first.key}"
                why = _explained([plan], [run.results], BY_RULE.get(first.rule, "5/not-a-sum"))
                return Verdict(False, first.expected, first.seen, at if first.worker is not None else where, why, run)
            facts += sum(found.facts[rule] for rule in rules)
        return Verdict(True, seen=f"{facts:,} facts of the history: {passed}", where=where, run=run)
    return judge


def no_pull_without_need(answers, case: Case) -> Verdict:
    """Whether a copy that may still be read is read."""
    for plan, _, where in _plans(case.rng, 3):
        run, last, pulls = _run(answers, plan), {}, 0
        for worker, key, c, clock in run.results[-1]["pulls"]:
            held, pulls = last.get((worker, key)), pulls + 1
            if held is not None and held >= c - plan["s"]:
                why = _explained([plan], [run.results], "5/pull-without-need")
                return Verdict(False, f"the copy with clock {held} read at iteration {c}", "a pull", f"{where}; worker "
                               f"{worker}, key {key}", why, run)
            last[worker, key] = clock
    return Verdict(True, seen=f"{pulls} pulls, each because the copy was too old", where=where, run=run)


RULES = ("sum", "final", "bound", "monotonic")


def elsewhere(answers, case: Case) -> Verdict:
    for name, judge in (("reads", held_against((*RULES, "own"), "all promises kept")),
                        ("pulls", no_pull_without_need)):
        verdict = judge(answers, case.of(name))
        if not verdict.passed:
            return verdict
    return verdict


READS = Exercise(
    id="5.2", lab="5", title="Reads from a cache, s clocks old", names=(NAME,),
    signature="class CachedRows:\n"
              "    def __init__(self, server, s: int)\n"
              "    def read(self, key: int, c: int) -> Tensor       # (D,): the row at iteration c, the caller's own\n"
              "    def add(self, key: int, delta: Tensor) -> None   # (D,): an own update, now",
    points=25, minutes=25, difficulty=4, core=True, prerequisites=("5.1",), chapter_number="11.5.2",
    forbidden=FORBIDDEN,
    goal="server.pull(key) gives (row, clock): a row (D,) with all updates of iterations below `clock`, which is how "
         "far the slowest worker is, and all own updates so far. server.push(key, delta) adds to the server's row. A "
         "read at iteration c must hold all updates of the iterations up to c - s - 1 and all own ones; pull only when "
         "the copy at hand does not. An update goes to the server at once.",
    example="s = 1: read(5, 0) pulls and gets clock 0; read(5, 1) needs no pull; read(5, 2) needs one, for 0 < 2 - 1",
    hints=(
        "Keep for each key the row and the clock that came with it. Which is the newest iteration of which the copy "
        "certainly has all updates? Compare it with c - s - 1.",
        "A copy with clock m has the iterations up to m - 1, so it may be read while m >= c - s. The clock comes from "
        "the server; your own c at the pull says nothing about how far others were.",
        "add: push, and if there is a copy of the row, add delta to it. A pulled row has all own updates already. Hand "
        "out a copy in read, copies[key].clone(), for the caller may change it.",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("pulls of a hot row in 64 clocks", pulls_of_a_hot_row, 6),
        Criterion("every read holds what it must", held_against(RULES, "nothing too old, nothing twice, nothing lost"),
                  7),
        Criterion("own updates at once", held_against(("own",), "each read has the reader's own updates"), 5),
        Criterion("no pull without need", no_pull_without_need, 3),
        Criterion("other speeds, other rows", elsewhere, 4, hidden=True),
    ),
)

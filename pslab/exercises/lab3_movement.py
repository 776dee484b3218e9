"""3.3: the number of servers changes. Which rows move, from whom, to whom?

    old edges 0   4   8   12            server 0 │ 0 1 2 3         │
    new edges 0  3  6  9  12            server 1 │         4 5 6 7 │
                                        server 2 │                 │ 8 9 10 11
    plan      (0, 1, 3, 4)   (1, 2, 6, 8)   (2, 3, 9, 12)       (from, to, first, end): rows first <= row < end

A row moves when its owner changes, once, straight to its new owner; one entry for each pair of servers.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from pslab.comm import SimWorld
from pslab.grade import Case, Criterion, Exercise, Misconception, OutOfMemory, TimedOut, Verdict

from .lab0_common import LINK
from .lab3_common import FORBIDDEN, described, told, whole_numbers

D = 2
ROW_BYTES = 4 * D
LONG = 10**12                        # rows of a table that no machine lists


def plan_of(old: list[int], new: list[int]) -> list[tuple[int, int, int, int]]:
    """The reference: for every old and every new owner the rows that both have, unless they are one server."""
    return [(s, t, max(a, c), min(b, d)) for s, (a, b) in enumerate(pairwise(old)) for t, (c, d) in
            enumerate(pairwise(new)) if s != t and max(a, c) < min(b, d)]


def even(R: int, S: int) -> list[int]:
    """Edges of S ranges as even as possible."""
    return [s * (R // S) + min(s, R % S) for s in range(S + 1)]


def owners(edges: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(edges) - 1), np.diff(edges))


def changes(rng):
    """(label, old edges, new edges)"""
    def drawn(R, S):
        return [0, *np.sort(rng.integers(0, R + 1, S - 1)).tolist(), R]

    yield "3 -> 4 servers, 12 rows", even(12, 3), even(12, 4)
    yield "4 -> 3 servers, 14 rows", even(14, 4), even(14, 3)
    yield "2 -> 7 servers, 60 rows", even(60, 2), even(60, 7)
    yield "6 -> 1 server, 33 rows", even(33, 6), even(33, 1)
    yield "3 -> 3 servers, as they are", even(20, 3), even(20, 3)
    yield "3 -> 5 servers, 2 rows", even(2, 3), even(2, 5)
    for S, T in ((5, 5), (4, 9), (8, 3)):
        R = int(rng.integers(40, 90))
        yield f"{S} -> {T} servers with uneven ranges, {R} rows", drawn(R, S), drawn(R, T)


# ---- reading and applying -------------------------------------------------------------------------------------------


def read_plan(value, servers: int, where: str) -> tuple[list | None, Verdict | None]:
    """([(from, to, first, end)], None), or (None, why that is no plan)."""
    if isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim == 2:
        value = list(value)                                              # an array (entries, 4) is as good as a list
    rows = [whole_numbers(list(entry) if isinstance(entry, (list, tuple)) else entry) for entry in value] \
        if isinstance(value, (list, tuple)) else [None]
    if any(row is None or len(row) != 4 for row in rows):
        return None, Verdict(False, "a list of (from, to, first, end)", described(value), where, "all/bad-value")
    plan = [tuple(row.tolist()) for row in rows]
    for entry in plan:
        source, target, first, end = entry
        if not (0 <= source < servers and 0 <= target < servers):
            return None, Verdict(False, f"servers from 0 to {servers - 1}", f"{entry}", where, "3/no-such-server")
        if first >= end:
            return None, Verdict(False, "first < end", f"{entry}", where, "3/entry-without-rows")
    return plan, None


def apply(plan, old, new, where: str) -> Verdict | None:
    """Carries the plan out, entry by entry; None when every row ends at its new owner."""
    has, goal = owners(old), owners(new)
    for entry in plan:
        source, target, first, end = entry
        there = has[max(first, 0):end]
        if first < 0 or end > len(has) or (there != source).any():
            at = first + int(np.argmax(there != source)) if first >= 0 and (there != source).any() else end - 1
            holder = f"is on server {has[at]}" if 0 <= at < len(has) else "is no row of the table"
            return Verdict(False, f"rows {first} to {end - 1} on server {source} when it sends them",
                           f"{entry}: row {at} {holder}", where, _why_not_there(plan, old, new))
        has[first:end] = target
    left = np.flatnonzero(has != goal)
    if len(left):
        at = int(left[0])
        return Verdict(False, "every row at its new owner", f"row {at} is on server {has[at]}, its new owner is "
                       f"{goal[at]} ({len(left)} rows so)", where, _why_left(plan, old, new))
    return None


def _why_not_there(plan, old, new) -> str:
    right = plan_of(old, new)
    if sorted((t, s, a, b) for s, t, a, b in plan) == sorted(right):
        return "3/wrong-direction"
    if _shifted(plan, right):
        return "3/range-off-by-one"
    spans = sorted((a, b) for _, _, a, b in plan)                        # not row by row: an end may be anything
    twice = any(b > following for (_, b), (following, _) in pairwise(spans))
    return "3/row-moved-twice" if twice else "3/not-the-owners-rows"


def _why_left(plan, old, new) -> str:
    return "3/range-off-by-one" if _shifted(plan, plan_of(old, new)) else "3/rows-left-behind"


def _why_other(plan, right) -> str:
    """Why a plan is not the right one, from its entries alone."""
    if sorted((t, s, a, b) for s, t, a, b in plan) == right:
        return "3/wrong-direction"
    if _shifted(plan, right):
        return "3/range-off-by-one"
    if any(s == t for s, t, *_ in plan):
        return "3/moves-what-stays"
    named, needed = (sum(b - a for *_, a, b in entries) for entries in (plan, right))
    return "3/by-a-third" if named > needed else "3/row-by-row" if named == needed else "3/rows-left-behind"


def _shifted(plan, right) -> bool:
    """The right pairs of servers, with cuts that are one row off."""
    cuts = {entry[:2]: entry[2:] for entry in right}
    known = len({entry[:2] for entry in plan}) == len(plan) and all(entry[:2] in cuts for entry in plan)
    return known and {max(abs(a - cuts[s, t][0]), abs(b - cuts[s, t][1])) for s, t, a, b in plan} in ({1}, {0, 1})


# ---- criteria -------------------------------------------------------------------------------------------------------


def _each(answers, case: Case):
    """(label, old, new, plan, what is wrong with it)"""
    for where, old, new in changes(case.rng):
        servers = max(len(old), len(new)) - 1
        plan, wrong = read_plan(answers.call("movement_plan", old, new), servers, where)
        yield where, old, new, plan, wrong or apply(plan, old, new, where)


def arrives(answers, case: Case) -> Verdict:
    for *_, wrong in _each(answers, case):
        if wrong:
            return wrong
    return Verdict(True, seen="every row is at its new owner, none is lost or doubled")


def send_rows(comm, plan):
    """The rows of a plan, as messages: a program of the course, with the student's plan."""
    works = [comm.isend(np.zeros((end - first, D), np.float32), target, tag) for tag, (source, target, first, end)
             in enumerate(plan) if source == comm.rank and target != comm.rank]
    for tag, (source, target, *_) in enumerate(plan):
        if target == comm.rank and source != comm.rank:
            comm.recv(source, tag)
    for work in works:
        work.wait()


def only_what_must(answers, case: Case) -> Verdict:
    """Rows in the plan, and bytes on the links: those of rows whose owner changes."""
    shown = None
    for where, old, new, plan, wrong in _each(answers, case):
        if wrong:
            return wrong
        needed, named = int((owners(old) != owners(new)).sum()), sum(end - first for _, _, first, end in plan)
        run = SimWorld(max(len(old), len(new)) - 1, link=LINK).run(send_rows, plan)
        expected = f"{needed} rows, {needed * ROW_BYTES} bytes"
        seen = f"{named} rows, {run.ledger.total()} bytes"
        if named > needed:
            why = "3/moves-what-stays" if any(s == t for s, t, *_ in plan) else "3/by-a-third"
            return Verdict(False, expected, seen, where, why, run, named / needed if needed else None)
        if shown is None and needed and needed * ROW_BYTES == run.ledger.total():
            shown = Verdict(True, expected, seen, where, run=run, ratio=1.0)
    return shown


def one_entry_a_pair(answers, case: Case) -> Verdict:
    most = 0
    for where, old, new, plan, wrong in _each(answers, case):
        if wrong:
            return wrong
        fewest = len(plan_of(old, new))
        if len(plan) > fewest:
            return Verdict(False, f"{fewest} entries", f"{len(plan)} entries", where, "3/row-by-row",
                           ratio=len(plan) / max(fewest, 1))
        most = max(most, fewest)
    return Verdict(True, seen=f"one entry for each pair of servers, at most {most}")


def long_tables(answers, case: Case) -> Verdict:
    """10^12 rows: the work grows with the servers and not with the rows."""
    for S, T in ((10, 11), (16, 12)):
        old, new = even(LONG + int(case.rng.integers(100)), S), []
        new = even(old[-1], T)
        where = f"{S} -> {T} servers, {old[-1]:,} rows"
        try:
            value = answers.call("movement_plan", old, new, timeout_s=3.0)
        except (TimedOut, OutOfMemory) as failed:
            return Verdict(False, "a plan made from the edges", failed.seen, where, "3/table-of-rows")
        plan, wrong = read_plan(value, max(S, T), where)
        if wrong:
            return wrong
        right = plan_of(old, new)
        if sorted(plan) != right:
            odd = next(entry for entry in [*plan, *right] if (entry in plan) != (entry in right) or
                       plan.count(entry) > 1)
            return Verdict(False, f"{len(right)} entries, for example {right[0]}", f"{len(plan)} entries, "
                           f"{'with' if odd in plan else 'without'} {odd}", where, _why_other(plan, right))
    return Verdict(True, seen="a plan for a table of 10^12 rows, from its edges")


def elsewhere(answers, case: Case) -> Verdict:
    for judge in (only_what_must, one_entry_a_pair):
        verdict = judge(answers, case)
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="other tables, other servers")


MOVEMENT = Exercise(
    id="3.3", lab="3", title="A plan for moving rows", names=("movement_plan",),
    signature="def movement_plan(old: list[int], new: list[int]) -> list[tuple[int, int, int, int]]",
    points=20, minutes=20, difficulty=2, core=False, prerequisites=("3.1",), chapter_number="11.3.3",
    forbidden=FORBIDDEN,
    goal="Server s owns rows edges[s] <= row < edges[s+1], before by `old` and afterwards by `new`; there may be more "
         "or fewer servers than before, and some may own nothing. Return entries (from, to, first, end), rows first <= "
         "row < end, such that every row whose owner changes moves once, straight to its new owner, and no other row.",
    example="movement_plan([0, 4, 8], [0, 3, 6, 8]) -> [(0, 1, 3, 4), (1, 2, 6, 8)]",
    hints=(
        "Take one server of before and one of afterwards. Which rows have both as their owner? When do these move?",
        "Two ranges [a, b) and [c, d) share the rows from max(a, c) up to min(b, d), if the first is smaller than the "
        "second. If the two servers are one, these rows stay.",
        "Two loops, over the servers before and over those afterwards, and one entry for each pair that shares rows. "
        "Nothing depends on how many rows there are.",
    ),
    misconceptions=(
        *told("3/no-such-server", "3/range-off-by-one"),
        Misconception("3/entry-without-rows", "An entry moves no rows; leave it out, for each entry is a message."),
        Misconception("3/wrong-direction", "From and to are swapped; the first number is who has the rows now."),
        Misconception("3/row-moved-twice", "A row is sent by two servers, or twice; each row has one owner before and "
                      "one afterwards."),
        Misconception("3/not-the-owners-rows", "A server is to send rows that it does not have at that moment; only "
                      "what the sender owns by `old` can come from it."),
        Misconception("3/rows-left-behind", "Rows whose owner changes do not move; look at every pair of an old and a "
                      "new owner: servers that come, servers that go, and servers far from each other."),
        Misconception("3/moves-what-stays", "Rows move that stay where they are; a plan names only rows whose owner "
                      "changes, and the rest keeps being served meanwhile."),
        Misconception("3/by-a-third", "Rows travel more than once; send each straight from its old owner to its new "
                      "one."),
        Misconception("3/row-by-row", "There are more entries than pairs of servers that share rows; neighbouring rows "
                      "that go the same way are one entry, and one message."),
        Misconception("3/table-of-rows", "The plan is made row by row; it follows from the edges alone, and a table of "
                      "a million million rows has as few of them as a small one."),
    ),
    criteria=(
        Criterion("every row at its new owner", arrives, 7),
        Criterion("only rows that must move", only_what_must, 4),
        Criterion("one entry for each pair", one_entry_a_pair, 3),
        Criterion("a table of 10^12 rows", long_tables, 2),
        Criterion("other tables", elsewhere, 4, hidden=True),
    ),
)

"""5.3: vector clocks, what somebody holds of whom, and one such clock for a range of keys.

    {0: 3, 1: 5}    the first 3 updates of worker 0, the first 5 of worker 1, none of anybody else

    keys   0 ........ 40 .... 60 .......... 100      a push of worker 0, its update 3, to the keys 40 to 59: what was
           {1: 2}     {0: 3, 1: 2}  {1: 2}           one range is three, and never more
"""

from __future__ import annotations

from itertools import product

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab5_common import FORBIDDEN, asked, belief_of, call, first_of, short
from .lab5_programs import applied, pushed

KEYS = 100


def merge(a: dict, b: dict) -> dict:
    """The reference: what somebody holds who has heard both."""
    return {worker: max(a.get(worker, 0), b.get(worker, 0)) for worker in {*a, *b}}


def holds(a: dict, b: dict) -> bool:
    """Whether b is contained in a."""
    return all(a.get(worker, 0) >= clock for worker, clock in b.items())


def concurrent(a: dict, b: dict) -> bool:
    return not holds(a, b) and not holds(b, a)


MERGES = {
    "5/merge-by-min": lambda a, b: {worker: min(a.get(worker, 0), b.get(worker, 0)) for worker in {*a, *b}},
    "5/last-writer-wins": lambda a, b: {**a, **b},
    "5/merge-adds": lambda a, b: {worker: a.get(worker, 0) + b.get(worker, 0) for worker in {*a, *b}},
    "5/entry-lost": lambda a, b: {worker: max(a[worker], b[worker]) for worker in {*a} & {*b}},
    "5/one-of-both": lambda a, b: a if sum(a.values()) >= sum(b.values()) else b,
}
HOLDS = {
    "5/wrong-way-round": lambda a, b: holds(b, a),
    "5/absent-is-no-excuse": lambda a, b: all(a[worker] >= clock for worker, clock in b.items() if worker in a),
    "5/compares-sums": lambda a, b: sum(a.values()) >= sum(b.values()),
    "5/compares-largest": lambda a, b: max(a.values(), default=0) >= max(b.values(), default=0),
    "5/one-entry-decides": lambda a, b: not b or any(a.get(worker, 0) >= clock for worker, clock in b.items()),
    "5/not-itself": lambda a, b: holds(a, b) and merge(a, b) != merge(b, {}),
    "5/same-workers-only": lambda a, b: holds(a, b) and {*a} == {*b},
}
CONCURRENT = {
    "5/one-sided": lambda a, b: not holds(a, b),
    "5/different-is-concurrent": lambda a, b: not (holds(a, b) and holds(b, a)),
    "5/same-sum": lambda a, b: sum(a.values()) == sum(b.values()),
}


def pairs(rng) -> list[tuple[dict, dict]]:
    """All pairs of clocks of two workers with few updates, and drawn ones of more workers."""
    small = [_clock(entries) for entries in product(range(3), repeat=2)]
    drawn = [tuple(_clock(rng.integers(0, 6, 5) * (rng.random(5) < 0.7)) for _ in range(2)) for _ in range(40)]
    return [*product(small, small), *drawn]


def _clock(entries) -> dict:
    """Workers that have no update are absent."""
    return {worker: int(clock) for worker, clock in enumerate(entries) if clock}


def merged(answers, case: Case) -> Verdict:
    listed = pairs(case.rng)
    seen, right = [], [merge(*pair) for pair in listed]
    told = answers.run("merge", 1, listed, within=applied, trace=False).results[0]
    for pair, value in zip(listed, told):
        if not _is_clock(value):
            return Verdict(False, "a clock {worker: updates}", short(value), call("merge", pair), "all/bad-value")
        seen.append(_tidy(value))
    wrong = [i for i in range(len(listed)) if seen[i] != right[i]]
    if wrong:
        believed = {name: [_tidy(belief(*pair)) for pair in listed] for name, belief in MERGES.items()}
        if all(seen[i].items() < right[i].items() for i in wrong):
            believed = {"5/entry-lost": seen}
        return Verdict(False, f"{call('merge', listed[wrong[0]])} is {right[wrong[0]]}", f"{seen[wrong[0]]}", "",
                       belief_of(seen, right, believed, "5/wrong-merge"))
    return Verdict(True, seen=f"{len(listed)} pairs: the larger entry of each worker")


def _is_clock(value) -> bool:
    return isinstance(value, dict) and all(isinstance(n, int) and not isinstance(n, bool) for pair in value.items()
                                           for n in pair)


def _tidy(clock: dict) -> dict:
    """An entry of 0 says the same as none."""
    return {worker: updates for worker, updates in clock.items() if updates}


# ---- ranges ---------------------------------------------------------------------------------------------------------


def some_pushes(rng, count: int) -> list[tuple[int, int, int, int]]:
    """(lo, hi, worker, clock): single keys, whole tables, ends that meet, and news that comes late."""
    clocks, pushes = [0] * 3, []
    for number in range(count):
        lo = int(rng.integers(0, KEYS))
        hi = int(rng.integers(lo + 1, KEYS + 1))
        if number % 4 == 3 and pushes:
            lo, hi = pushes[-1][1] % KEYS, KEYS                         # from where the one before ended
        if number % 7 == 5:
            lo, hi = (0, KEYS) if rng.random() < 0.5 else (lo, lo + 1)
        worker = int(rng.integers(3))
        clocks[worker] += 1
        late = rng.random() < 0.25 and clocks[worker] > 2
        pushes.append((lo, hi, worker, clocks[worker] - 2 if late else clocks[worker]))
    return pushes


def key_by_key(answers, case: Case) -> Verdict:
    """After every push: the clock of each key, and how many ranges there are."""
    most = 0
    for plan in ([(40, 60, 0, 3)], [(10, 20, 1, 1), (10, 20, 0, 2), (15, 30, 0, 3), (0, 100, 1, 2)],
                 *(some_pushes(case.rng, 14) for _ in range(4))):
        clocks, before = [{} for _ in range(KEYS)], 1
        for push, ranges in zip(plan, answers.run("push_range", 1, KEYS, plan, within=pushed, trace=False).results[0]):
            old = clocks
            clocks = [merge(clock, {push[2]: push[3]}) if push[0] <= key < push[1] else clock
                      for key, clock in enumerate(clocks)]
            where = f"push {plan.index(push)} of {len(plan)}: keys {push[0]} to {push[1] - 1}, worker {push[2]}, " \
                    f"its update {push[3]}"
            refused = _judge_ranges(ranges, old, clocks, push, before, where)
            if refused:
                return refused
            before, most = len(ranges), max(most, len(ranges))
    return Verdict(True, seen=f"the clock of each of {KEYS} keys after each push, in at most {most} ranges",
                   where=where)


def _judge_ranges(ranges, old: list, clocks: list, push, before: int, where: str) -> Verdict | None:
    if not isinstance(ranges, (list, tuple)) or not all(
            isinstance(part, (list, tuple)) and len(part) == 3 and _is_clock(part[2]) for part in ranges):
        return Verdict(False, "a list of (lo, hi, clock)", short(ranges), where, "all/bad-value")
    ends = [0, *(part[1] for part in ranges)]
    if [part[0] for part in ranges] != ends[:-1] or ends[-1] != KEYS or any(part[0] >= part[1] for part in ranges):
        return Verdict(False, f"ranges from 0 to {KEYS}, each from where the one before ends, none empty",
                       short([list(part[:2]) for part in ranges]), where, "5/ranges-do-not-meet")
    seen = [_tidy(part[2]) for part in ranges for _ in range(part[0], part[1])]
    wrong = [key for key in range(KEYS) if seen[key] != clocks[key]]
    if wrong:
        inside = [key for key in wrong if push[0] <= key < push[1]]
        return Verdict(False, f"key {wrong[0]} with the clock {clocks[wrong[0]]}", f"{seen[wrong[0]]}", where,
                       _why(seen, old, clocks, push, wrong, inside))
    if len(ranges) > before + 2:
        return Verdict(False, f"at most {before + 2} ranges after {before}", f"{len(ranges)}", where,
                       "5/too-many-ranges", ratio=len(ranges) / (before + 2))
    return None


def _why(seen, old, clocks, push, wrong, inside) -> str:
    lo, hi, worker, clock = push
    if inside and all(seen[key] == {**old[key], worker: clock} for key in inside):
        return "5/old-news"
    if inside and all(seen[key] == {worker: clock} for key in range(lo, hi)):
        return "5/last-writer-wins"
    if len(wrong) <= 2 and {*wrong} <= {lo - 1, lo, hi - 1, hi}:
        return "5/range-ends"
    return "5/shared-clock" if len(inside) < len(wrong) else "5/wrong-clock-of-a-key"


HELD = asked("holds", pairs, holds, HOLDS, "5/wrong-order", "5/wrong-order")
APART = asked("concurrent", pairs, concurrent, CONCURRENT, "5/wrong-order", "5/wrong-order")

CLOCKS = Exercise(
    id="5.3", lab="5", title="Vector clocks, and one for a range", names=("merge", "holds", "concurrent", "push_range"),
    signature="def merge(a: dict, b: dict) -> dict; def holds(a, b) -> bool; def concurrent(a, b) -> bool; "
              "def push_range(ranges: list, lo: int, hi: int, worker: int, clock: int) -> list",
    points=20, minutes=20, difficulty=3, core=False, prerequisites=("5.1",), chapter_number="11.5.3",
    forbidden=FORBIDDEN,
    goal="A clock {0: 3, 1: 5} says: the first 3 updates of worker 0 are in here, and the first 5 of worker 1; who is "
         "absent has none in here. merge: the clock of who has heard both. holds(a, b): whether all that b holds is in "
         "a. concurrent: whether each lacks something of the other. push_range: `ranges` is a list of (lo, hi, clock) "
         "that covers the keys in order; return it after an update of the keys lo <= key < hi by `worker`, which is "
         "its update number `clock`, with at most two ranges more.",
    example="merge({0: 3}, {0: 1, 1: 5}) -> {0: 3, 1: 5}; holds({0: 3, 1: 5}, {0: 3}) -> True; push_range([(0, 100, "
            "{1: 2})], 40, 60, 0, 3) -> [(0, 40, {1: 2}), (40, 60, {0: 3, 1: 2}), (60, 100, {1: 2})]",
    hints=(
        "A clock is a set of updates, written shortly: for each worker a number, as updates come in order. Merging is "
        "the union of the sets, holds the question whether one is contained in the other.",
        "dict.get(worker, 0) gives 0 for who is absent. For merge go over the workers of both; for holds over those of "
        "b, since of the others b holds nothing.",
        "push_range: for each (first, end, held) the pieces before lo, inside, and after hi: (first, min(end, lo)), "
        "(max(first, lo), min(end, hi)), (max(first, hi), end); keep those that are not empty. The one inside gets "
        "merge(held, {worker: clock}), a dict of its own.",
    ),
    misconceptions=(
        Misconception("5/merge-by-min", "You merge by the smaller entry; who has heard both holds what either holds, "
                      "the larger one of each worker."),
        Misconception("5/last-writer-wins", "The clock that came last overwrites the other one; nothing that was held "
                      "before goes away."),
        Misconception("5/merge-adds", "You add the entries; the first 3 updates and the first 5 of the same worker are "
                      "together its first 5."),
        Misconception("5/entry-lost", "A worker that is in one of the clocks only is lost; who is absent has 0."),
        Misconception("5/one-of-both", "You return one of the clocks; when each has something that the other lacks, "
                      "neither is the merged one."),
        Misconception("5/wrong-merge", "This is not the larger entry of each worker."),
        Misconception("5/wrong-way-round", "You answer whether a is contained in b; holds(a, b) asks whether b is in "
                      "a."),
        Misconception("5/absent-is-no-excuse", "A worker that is absent in a has no update in there; if b has some of "
                      "it, a does not hold b."),
        Misconception("5/compares-sums", "You compare how many updates there are; which ones they are is what counts, "
                      "worker by worker."),
        Misconception("5/compares-largest", "You compare the largest entries; each worker's entry has to be compared."),
        Misconception("5/one-entry-decides", "One entry that is large enough does not do; all of them have to be."),
        Misconception("5/not-itself", "A clock holds itself: equal is enough."),
        Misconception("5/same-workers-only", "You compare only clocks with the same workers; absent is the same as 0, "
                      "and a clock with more workers holds one with fewer."),
        Misconception("5/one-sided", "You looked in one direction; concurrent are clocks of which neither holds the "
                      "other."),
        Misconception("5/different-is-concurrent", "Different clocks need not be concurrent: one of them may hold the "
                      "other, and then it came later."),
        Misconception("5/same-sum", "Concurrent does not mean equally many updates."),
        Misconception("5/wrong-order", "This is not the order of the clocks: compare worker by worker, absent as 0."),
        Misconception("5/ranges-do-not-meet", "The ranges have a gap, overlap, or one of them is empty; they have to "
                      "cover all keys in order, half-open."),
        Misconception("5/range-ends", "A range is cut one key too early or too late: hi is not in it any more."),
        Misconception("5/shared-clock", "Keys outside of the push have its update; perhaps pieces of a range share one "
                      "dict, and what changes one changes all."),
        Misconception("5/old-news", "News that comes late has set a worker's entry back; merge it, and the larger "
                      "number stays."),
        Misconception("5/wrong-clock-of-a-key", "The clock of a key is not the merged clock of the pushes to it."),
        Misconception("5/too-many-ranges", "A push adds more than two ranges; only the ranges in which lo and hi lie "
                      "are cut, or the memory grows as if each key had a clock of its own."),
    ),
    criteria=(
        Criterion("merge", merged, 4),
        Criterion("what is held", HELD, 4),
        Criterion("concurrent", APART, 3),
        Criterion("ranges against a clock for each key", key_by_key, 6),
        Criterion("other clocks, other pushes", first_of((merged, HELD, APART, key_by_key),
                                                         "other clocks, other pushes"), 3, hidden=True),
    ),
)

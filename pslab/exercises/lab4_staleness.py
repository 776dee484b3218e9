"""4.3: how stale each update was, read off a server's own list of reads and updates.

    read a 0 │ read b 0 │ apply a 0 │ read a 1 │ apply a 1 │ read a 2 │ apply b 0
               └─────────── two updates are in between ──────────────────┘      staleness of b 0: 2

Updates are what staleness counts: those that were applied after the numbers were read, and are missing in them.
"""

from __future__ import annotations

import heapq
import math

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab4_common import FORBIDDEN

STALENESS, MEANS = "staleness", "mean_staleness"
Entry = tuple[float, str, int, int]                     # when (s), "read" or "apply", worker, step

EXAMPLE = [(0.0, "read", 0, 0), (0.0, "read", 1, 0), (1.0, "apply", 0, 0), (1.0, "read", 0, 1), (2.0, "apply", 0, 1),
           (2.0, "read", 0, 2), (2.5, "apply", 1, 0), (2.5, "read", 1, 1), (3.0, "apply", 0, 2)]


def staleness(trace: list[Entry]) -> list[int]:
    """The reference: for each update, in the order of application, how many others were applied since its read."""
    applied, read_at, found = 0, {}, []
    for _, what, worker, step in trace:
        if what == "read":
            read_at[worker, step] = applied
        else:
            found.append(applied - read_at[worker, step])
            applied += 1
    return found


def workers_of(trace: list[Entry]) -> list[int]:
    """Who applied each update, in order."""
    return [worker for _, what, worker, _ in trace if what == "apply"]


def means(trace: list[Entry], values=None) -> dict[int, float]:
    values = staleness(trace) if values is None else values
    return {worker: float(np.mean([v for v, w in zip(values, workers_of(trace)) if w == worker]))
            for worker in sorted(set(workers_of(trace)))}


def boundary(trace: list[Entry]) -> int:
    """For each worker, the updates after its last one, together."""
    order = workers_of(trace)
    return sum(order[::-1].index(worker) for worker in set(order))


# ---- traces ---------------------------------------------------------------------------------------------------------


def run_of(rng, slowness, updates: int, pause: float = 0.0, ahead: bool = False, bound: float = math.inf,
           spread: float = 0.3) -> list[Entry]:
    """A server's list. slowness (K,): mean seconds of a step of each worker.

    pause: seconds between a worker's update and its next read. ahead: a worker reads for its next step half way through
    the present one. bound: no read for a step that is more than so many ahead of the slowest worker's.
    """
    trace, heap, done, held = [], [], [0] * len(slowness), []
    for worker in range(len(slowness)):
        heapq.heappush(heap, (worker * 1e-3, worker, "read", 0))
    while heap and sum(done) < updates:
        now_s, worker, what, step = heapq.heappop(heap)
        if what == "read" and step > min(done) + bound:
            held.append((worker, what, step))
            continue
        trace.append((round(now_s, 5), what, worker, step))
        if what == "read" and not (ahead and step):
            _begin(rng, heap, now_s, worker, step, slowness[worker], spread, ahead)
        if what == "apply":
            done[worker] += 1
            if ahead:
                _begin(rng, heap, now_s, worker, step + 1, slowness[worker], spread, ahead)
            else:
                heapq.heappush(heap, (now_s + pause * rng.random(), worker, "read", step + 1))
            for again in held:
                heapq.heappush(heap, (now_s + 1e-4, *again))
            held = []
    return trace


def _begin(rng, heap, now_s, worker, step, mean_s, spread, ahead) -> None:
    seconds = mean_s * (1 + spread * (2 * rng.random() - 1))
    heapq.heappush(heap, (now_s + seconds, worker, "apply", step))
    if ahead:
        heapq.heappush(heap, (now_s + seconds / 2, worker, "read", step + 1))


def plain_traces(rng):
    yield "two workers, one three times slower", run_of(rng, [1, 3], 24)
    yield "four workers of one speed", run_of(rng, [1, 1, 1, 1], 40, pause=0.3)
    yield "five workers of any speed", run_of(rng, rng.uniform(0.5, 3, 5), 60)
    yield "one worker", run_of(rng, [1], 5)


def other_traces(rng):
    yield "workers that rest between an update and the next read", run_of(rng, [1, 2, 1.5], 40, pause=4.0)
    yield "workers that read ahead, during the step before", run_of(rng, [1, 1.7, 2.5], 40, ahead=True)
    yield "nobody reads more than two steps ahead of the slowest", run_of(rng, [1, 1, 4], 40, bound=2)


def slow_traces(rng):
    yield 5, run_of(rng, [1, 1, 1, 1, 4], 170)
    yield 3, run_of(rng, [2, 1, 1], 90)


def hidden_traces(rng):
    for number in range(12):
        K = int(rng.integers(2, 9))
        pause, bound = float(rng.choice([0.0, 2.0])), float(rng.choice([1, 3, math.inf]))
        updates, ahead = int(rng.integers(20, 90)), number % 4 == 3
        trace = run_of(rng, rng.uniform(0.4, 4, K), updates, pause, ahead, math.inf if ahead else bound, 0.8)
        yield f"hidden trace {number + 1}, {K} workers", trace


# ---- what is believed -----------------------------------------------------------------------------------------------


def _walk(trace, count):
    """For each update the entries between its read and itself, handed to count(between, worker, read, apply)."""
    read_at, found = {}, []
    for at, (_, what, worker, step) in enumerate(trace):
        if what == "read":
            read_at[worker, step] = at
        else:
            first = read_at[worker, step]
            found.append(count(trace[first + 1:at], worker, trace[first], trace[at]))
    return found


def _since_own_update(trace) -> list[int]:
    last, found = {}, []
    for at, worker in enumerate(workers_of(trace)):
        found.append(at - last.get(worker, -1) - 1)
        last[worker] = at
    return found


def _by_clock(trace, other) -> list[int]:
    done, found = dict.fromkeys(sorted({worker for _, _, worker, _ in trace}), 0), []
    for _, what, worker, step in trace:
        if what == "apply":
            found.append(other(done.values()) - step)
            done[worker] = step + 1
    return found


BELIEFS = {
    "4/itself-counted": lambda trace: [value + 1 for value in staleness(trace)],
    "4/first-not-counted": lambda trace: [max(value - 1, 0) for value in staleness(trace)],
    "4/staleness-in-seconds": lambda trace: _walk(trace, lambda _, worker, read, apply: apply[0] - read[0]),
    "4/workers-for-updates": lambda trace: _walk(trace, lambda between, worker, *_: len(
        {e[2] for e in between if e[1] == "apply"} - {worker})),
    "4/reads-counted": lambda trace: _walk(trace, lambda between, *_: sum(e[1] == "read" for e in between)),
    "4/own-update-left-out": lambda trace: _walk(trace, lambda between, worker, *_: sum(
        e[1] == "apply" and e[2] != worker for e in between)),
    "4/since-the-own-update": _since_own_update,
    "4/steps-behind": lambda trace: [abs(v) for v in _by_clock(trace, max)],
    "4/steps-ahead": lambda trace: [abs(v) for v in _by_clock(trace, min)],
    "4/always-k-minus-1": lambda trace: [len({w for _, _, w, _ in trace}) - 1] * len(workers_of(trace)),
    "4/by-worker": lambda trace: [v for _, v in sorted(zip(workers_of(trace), staleness(trace)), key=lambda p: p[0])],
}
MEAN_BELIEFS = {
    "4/one-mean-for-all": lambda trace: dict.fromkeys(means(trace), float(np.mean(staleness(trace)))),
    "4/shares-of-the-mean": lambda trace: {worker: float(sum(v for v, w in zip(staleness(trace), workers_of(trace))
                                                             if w == worker)) / len(workers_of(trace))
                                           for worker in means(trace)},
    "4/always-k-minus-1": lambda trace: dict.fromkeys(means(trace), len(means(trace)) - 1.0),
    "4/of-the-last-update": lambda trace: {w: float(v) for v, w in zip(staleness(trace), workers_of(trace))},
}


def _explained(believed: dict, trace, right, value, otherwise: str) -> str:
    for why, belief in believed.items():
        other = belief(trace)
        if contracts.difference(other, right) is not None and contracts.difference(value, other, rtol=1e-6,
                                                                                  atol=1e-9) is None:
            return why
    return otherwise


def each_update(traces):
    """A judge of staleness(trace)."""
    def judge(answers, case: Case) -> Verdict:
        count = 0
        for where, trace in traces(case.rng):
            right, value = staleness(trace), answers.call(STALENESS, [tuple(entry) for entry in trace])
            value = value.tolist() if hasattr(value, "tolist") else value
            if not isinstance(value, (list, tuple)) or len(value) != len(right):
                seen = f"{len(value)} of them" if isinstance(value, (list, tuple)) else contracts.short(value)
                return Verdict(False, f"{len(right)} whole numbers, one an update", seen, where, "all/bad-value")
            at = next((i for i, pair in enumerate(zip(value, right)) if pair[0] != pair[1]), None)
            if at is not None:
                worker = workers_of(trace)[at]
                why = _explained(BELIEFS, trace, right, value, "4/staleness-miscounted")
                return Verdict(False, f"{right[at]} for update {at + 1}, of worker {worker}",
                               contracts.short(value[at]), where, why)
            count += len(right)
        return Verdict(True, seen=f"{count} updates right")
    return judge


def law(answers, case: Case) -> Verdict:
    """Means of workers, one of them slow, and their sum against K − 1."""
    for K, trace in slow_traces(case.rng):
        order, right = workers_of(trace), means(trace)
        where = f"{len(order)} updates of {K} workers, one slower than the others"
        value = answers.call(MEANS, [tuple(entry) for entry in trace])
        if not isinstance(value, dict) or set(value) != set(right):
            return Verdict(False, f"a mean for each of the workers {sorted(right)}", contracts.short(value), where,
                           "all/bad-value")
        words = contracts.difference(value, right, rtol=1e-6)
        if words:
            return Verdict(False, "the mean of each worker's updates", words, where,
                           _explained(MEAN_BELIEFS, trace, right, value, "4/means-miscounted"))
        values, slow = staleness(trace), int(np.argmax(list(right.values())))
        assert sum(values) == (K - 1) * len(order) - boundary(trace)
        seen = (f"the slow one's mean {right[slow]:.2f}, of all {np.mean(values):.3f} = {K - 1} - "
                f"{boundary(trace)}/{len(order)}")
    return Verdict(True, seen=seen, where=where)


def elsewhere(answers, case: Case) -> Verdict:
    verdict = each_update(hidden_traces)(answers, case)
    if not verdict.passed:
        return verdict
    for where, trace in hidden_traces(case.rng):
        words = contracts.difference(answers.call(MEANS, [tuple(entry) for entry in trace]), means(trace), rtol=1e-6)
        if words:
            return Verdict(False, "the mean of each worker's updates", words, where, "4/means-miscounted")
    return verdict


EXERCISE = Exercise(
    id="4.3", lab="4", title="Staleness from a trace", names=(STALENESS, MEANS),
    signature="def staleness(trace: list[tuple[float, str, int, int]]) -> list[int]; "
              "def mean_staleness(trace) -> dict[int, float]",
    points=20, minutes=20, difficulty=3, core=True, prerequisites=("4.2",), forbidden=FORBIDDEN,
    goal="A trace is what a server did, in this order: entries (when in seconds, 'read' or 'apply', worker, step). A "
         "read for step c gives a worker the numbers for which it computes its update of step c. staleness: for each "
         "update, in the order of application, how many updates were applied after its read and before itself; so many "
         "are missing in the numbers it was computed for. mean_staleness: {worker: mean over its updates}.",
    example="read a0, read b0, apply a0, read a1, apply a1, read a2, apply b0, read b1, apply a2 -> [0, 0, 2, 1]; "
            "means {a: 1/3, b: 2.0}",
    hints=(
        "Whatever the clock says: number the updates in the order of application. How many had been applied when the "
        "worker read? How many before its own?",
        "Walk through the trace with one counter of applied updates. At a read note the counter for (worker, step); at "
        "an apply the staleness is the counter minus what was noted, and only then the counter goes up.",
        "applied, noted, found = 0, {}, []; for _, what, worker, step in trace: if what == 'read': noted[worker, step] "
        "= applied; else: found.append(applied - noted[worker, step]); applied += 1. For the means gather by worker.",
    ),
    misconceptions=(
        Misconception("4/itself-counted", "You counted the update itself; an update that follows its read with nothing "
                      "in between has staleness 0."),
        Misconception("4/first-not-counted", "You are one short; every update between the read and the application "
                      "counts, the first one, too."),
        Misconception("4/staleness-in-seconds", "You took the seconds between read and application; staleness counts "
                      "updates, and a long pause in which nothing is applied makes nothing stale."),
        Misconception("4/workers-for-updates", "You counted workers; one fast worker may have applied many updates "
                      "meanwhile, and each is missing."),
        Misconception("4/reads-counted", "You counted reads; reading changes nothing."),
        Misconception("4/own-update-left-out", "You left out the worker's own updates; who reads ahead misses its own "
                      "update as well."),
        Misconception("4/since-the-own-update", "You counted from the worker's update before; it may have read later "
                      "than that, or earlier. The read decides."),
        Misconception("4/steps-behind", "You compared the worker's step with the fastest one's; that is how far behind "
                      "it is in clocks, and not what is missing in its numbers."),
        Misconception("4/steps-ahead", "You compared the worker's step with the slowest one's; that is the lead that "
                      "lab 5 bounds, and not what is missing in its numbers."),
        Misconception("4/always-k-minus-1", "K - 1 is the mean over all updates; a slow worker's are staler and those "
                      "of the others fresher."),
        Misconception("4/by-worker", "The values are right, in the order of the workers; asked is the order of "
                      "application."),
        Misconception("4/one-mean-for-all", "You gave every worker the mean over all updates; a slow worker's own are "
                      "far above it."),
        Misconception("4/shares-of-the-mean", "You divided a worker's sum by the updates of all; its mean is over its "
                      "own."),
        Misconception("4/of-the-last-update", "You kept each worker's last value; the mean is over all of its "
                      "updates."),
        Misconception("4/staleness-miscounted", "This is not the number of updates between read and application; mark "
                      "the two entries in the trace and count in between."),
        Misconception("4/means-miscounted", "The means do not follow from the staleness of the workers' updates."),
    ),
    criteria=(
        Criterion("the printed trace", each_update(lambda rng: [("the printed trace", EXAMPLE)]), 3),
        Criterion("nobody waits", each_update(plain_traces), 5),
        Criterion("rests, reads ahead, bounds", each_update(other_traces), 3),
        Criterion("the mean of each worker", law, 5),
        Criterion("twelve traces more", elsewhere, 4, hidden=True),
    ),
)

"""1.4: is there one w_t? From a trace of what the workers computed on: for each step, one value or not, and how far.

    (seconds, worker, t, w)      worker computed its step-t gradient on w, beginning at `seconds`

    synchronous   all copies of step t are equal            one value in every step, distance 0
    asynchronous  whoever is quick is ahead                 one value at the start, then none
    rarely        replicas combine every h-th step          one value in each h-th step

Traces are made by an event-by-event simulation of its own: whole numbers, exact in floats.
"""

from __future__ import annotations

import heapq

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab1_ports import FORBIDDEN

NAME = "where_is_w"


def where_is_w(trace: list) -> list[tuple[bool, float]]:
    """The reference."""
    copies: dict[int, list] = {}
    for _, _, t, w in trace:
        copies.setdefault(t, []).append(w)
    found = []
    for t in sorted(copies):
        values = np.array(copies[t], float)
        distance = float(np.ptp(values, axis=0).max())
        found.append((distance == 0.0, distance))
    return found


# ---- traces ---------------------------------------------------------------------------------------------------------


def replicas(rng, mode: str, K: int, T: int, P: int, every: int = 1, start: int = 0) -> list:
    """A run of K workers, T steps, P weights. mode: 'together' (BSP, all-reduce), 'alone' (ASP), 'rarely'.

    Events are in the order of their seconds, as a trace is written, so that steps are mixed in it.
    """
    seconds = rng.integers(1, 9, (K, T)) * (1.0 + rng.integers(0, 3, (K, 1)))
    update = rng.integers(-9, 10, (K, T, P))
    update[update == 0] = 11
    first = start + rng.integers(-50, 50, P)
    if mode == "alone":
        return _alone(seconds, update, first)
    trace, clock, base = [], 0.0, first
    for begin in range(0, T, every):
        steps = range(begin, min(begin + every, T))
        ends = []
        for worker in range(K):
            at, w = clock, base.copy()
            for t in steps:
                trace.append((at, worker, t, w.tolist()))
                at, w = at + seconds[worker, t], w + update[worker, t]
            ends.append(at)
        clock, base = max(ends), base + update[:, begin:begin + every].sum(axis=(0, 1))
    return sorted(([float(s), k, t, [float(v) for v in w]] for s, k, t, w in trace), key=lambda event: event[:2])


def _alone(seconds, update, w) -> list:
    """On one server, nobody waits."""
    K, T, _ = update.shape
    trace, queue = [], [(0.0, worker, 0) for worker in range(K)]
    while queue:
        at, worker, t = heapq.heappop(queue)
        if t:
            w = w + update[worker, t - 1]
        if t < T:
            trace.append([float(at), worker, t, [float(v) for v in w]])
            heapq.heappush(queue, (at + seconds[worker, t], worker, t + 1))
    return trace


BY_HAND = [[0.0, 0, 0, [5.0, 1.0]], [0.0, 1, 0, [5.0, 1.0]], [0.0, 2, 0, [5.0, 1.0]], [1.0, 1, 1, [6.0, 1.0]],
           [2.0, 1, 2, [8.0, -1.0]], [2.5, 0, 1, [9.0, 0.0]], [3.0, 2, 1, [7.0, -5.0]], [4.0, 0, 2, [8.0, -1.0]],
           [5.0, 2, 2, [8.0, -1.0]]]


# ---- what is believed -----------------------------------------------------------------------------------------------


def _steps(trace) -> dict[int, list]:
    steps: dict[int, list] = {}
    for _, worker, t, w in trace:
        steps.setdefault(t, []).append((worker, w))
    return {t: steps[t] for t in sorted(steps)}


def _by_step(distance, single=lambda d: d == 0.0):
    """The answer of those who measure a step's copies (n, P), in the order of the trace, in another way."""
    def believed(trace):
        found = []
        for pairs in _steps(trace).values():
            d = float(distance(np.array([w for _, w in pairs]), [worker for worker, _ in pairs]))
            found.append((bool(single(d)), d))
        return found
    return believed


def _spread(values):
    return np.ptp(values, axis=0).max()


def _in_order(trace):
    """Steps taken for K events that follow each other in the trace."""
    K, found = len({worker for _, worker, _, _ in trace}), []
    for begin in range(0, len(trace), K):
        d = float(_spread(np.array([w for *_, w in trace[begin:begin + K]])))
        found.append((d == 0.0, d))
    return found


BELIEFS = {
    "1/there-is-always-one": lambda trace: [(True, distance) for _, distance in where_is_w(trace)],
    "1/always-one-and-no-distance": lambda trace: [(True, 0.0) for _ in where_is_w(trace)],
    "1/order-is-not-t": _in_order,
    "1/against-worker-0": _by_step(lambda v, who: np.abs(v - v[who.index(0)]).max()),
    "1/neighbours-only": _by_step(lambda v, who: np.abs(np.diff(v[np.argsort(who)], axis=0)).max()),
    "1/from-the-mean": _by_step(lambda v, who: np.abs(v - v.mean(axis=0)).max()),
    "1/first-weight-only": _by_step(lambda v, who: np.ptp(v[:, 0])),
    "1/signs-cancel": _by_step(lambda v, who: np.ptp(v.sum(axis=1))),
    "1/added-up": _by_step(lambda v, who: np.ptp(v, axis=0).sum()),
    "1/square-root": _by_step(lambda v, who: max(np.linalg.norm(a - b) for a in v for b in v)),
    "1/mean-of-distances": _by_step(lambda v, who: np.ptp(v, axis=0).mean()),
    "1/nearly-is-not-one": lambda trace: [(bool(np.allclose([w for _, w in pairs], pairs[0][1])), distance)
                                          for pairs, (_, distance) in zip(_steps(trace).values(), where_is_w(trace))],
    "1/turned-round": lambda trace: [(not single, distance) for single, distance in where_is_w(trace)],
}


# ---- judging --------------------------------------------------------------------------------------------------------


def told(traces_of):
    """A judge of where_is_w on {name: trace}."""
    def judge(answers, case: Case) -> Verdict:
        shown = []
        for name, trace in traces_of(case).items():
            seen, right = _plain(answers.call(NAME, trace)), where_is_w(trace)
            wrong = _malformed(seen, len(right))
            if wrong:
                return Verdict(False, f"{len(right)} pairs (bool, distance), one a step", wrong, name, _why_odd(
                    trace, seen))
            shown.append((name, trace, [(bool(single), float(distance)) for single, distance in seen], right))
        for name, _, seen, right in shown:
            t = next((t for t, (a, b) in enumerate(zip(seen, right)) if a != b), None)
            if t is not None:
                return Verdict(False, f"step {t}: {_words(right[t])}", _words(seen[t]), name, _explained(shown))
        singles = [sum(single for single, _ in right) for *_, right in shown]
        return Verdict(True, "every step", "; ".join(f"{name}: one value in {n} of {len(right)} steps" for
                                                     (name, *_, right), n in zip(shown, singles))[:150])
    return judge


def _plain(value):
    """Tensors and arrays as lists and numbers, in lists and tuples too."""
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value.tolist() if isinstance(value, (torch.Tensor, np.ndarray)) else value


def _malformed(seen, steps: int) -> str | None:
    if not isinstance(seen, (list, tuple)) or len(seen) != steps:
        return f"{len(seen)} of them" if isinstance(seen, (list, tuple)) else repr(seen)[:80]
    for pair in seen:
        if (not isinstance(pair, (list, tuple)) or len(pair) != 2 or not isinstance(pair[0], (bool, np.bool_))
                or isinstance(pair[1], bool) or not isinstance(pair[1], (int, float, np.number))
                or abs(pair[1]) > 1e300):
            return repr(pair)[:80]
    return None


def _why_odd(trace, seen) -> str:
    events = isinstance(seen, (list, tuple)) and len(seen) == len(trace)
    return "1/order-is-not-t" if events and len(trace) > len(where_is_w(trace)) else "all/bad-value"


def _explained(shown) -> str:
    """The belief that gives all answers, else one that gives all wrong ones."""
    wrong = [(trace, seen) for _, trace, seen, right in shown if seen != right]
    for asked in ([(trace, seen) for _, trace, seen, _ in shown], wrong):
        for misconception, believed in BELIEFS.items():
            if all(_near(believed(trace), seen) for trace, seen in asked):
                return misconception
    return "1/copies-miscompared"


def _near(one, other) -> bool:
    return len(one) == len(other) and all(a[0] == b[0] and abs(a[1] - b[1]) <= 1e-9 * max(abs(a[1]), 1.0)
                                          for a, b in zip(one, other))


def _words(pair) -> str:
    return f"{'one value' if pair[0] else 'no single value'}, distance {pair[1]:g}"


def together(case: Case) -> dict[str, list]:
    return {f"{K} workers that wait for each other": replicas(case.rng, "together", K, 6, 3) for K in (2, 4)}


def alone(case: Case) -> dict[str, list]:
    """Never one value after the start: else the trace would show nothing."""
    made = {}
    for K, start in ((3, 0), (5, 0), (3, 3_000_000)):
        trace = replicas(case.rng, "alone", K, 6, 3, start=start)
        made[f"{K} workers that wait for nobody" + ", large weights" * bool(start)] = trace
    return made


def rarely(case: Case) -> dict[str, list]:
    return {f"replicas that combine every {every} steps": replicas(case.rng, "rarely", 3, 8, 2, every)
            for every in (2, 3)}


def elsewhere(answers, case: Case) -> Verdict:
    traces = {f"a run of {K} workers ({mode})": replicas(case.rng, mode, K, 7, 4, 1 if mode == "together" else 3)
              for K in (2, 6) for mode in ("together", "alone", "rarely")}
    return told(lambda case: {**traces, "one worker": replicas(case.rng, "alone", 1, 4, 2)})(answers, case)


REPLICAS = Exercise(
    id="1.4", lab="1", title="Where is w?", names=(NAME,),
    signature="def where_is_w(trace: list) -> list[tuple[bool, float]]",
    points=15, minutes=15, difficulty=1, core=False, prerequisites=(), chapter_number="11.1.4", forbidden=FORBIDDEN,
    goal="trace is a list of (seconds, worker, t, w): at `seconds` this worker began its step t on the weights w, a "
         "list of P numbers; it is in the order of the seconds, and every worker has an entry for each step. For each "
         "step t = 0, 1, ...: whether all workers computed on one and the same w, and the largest difference between "
         "two workers' copies in any of the P numbers.",
    example="[(0.0, 0, 0, [5.0, 1.0]), (0.0, 1, 0, [5.0, 1.0]), (1.0, 1, 1, [6.0, 1.0]), (2.0, 0, 1, [9.0, 0.0])] -> "
            "[(True, 0.0), (False, 3.0)]",
    hints=(
        "Sort the entries into heaps by t first; in an asynchronous run a quick worker's step 5 comes before a slow "
        "one's step 2.",
        "For one number, the two copies that are furthest apart are the largest and the smallest of all workers'.",
        "With the copies of a step as an array (workers, P): (copies.max(axis=0) - copies.min(axis=0)).max(), and one "
        "value exists where that is exactly 0.",
    ),
    misconceptions=(
        Misconception("1/there-is-always-one", "You say that there is one value where copies differ; no machine has "
                      "'the' weights of that step, and nothing in the trace does either."),
        Misconception("1/always-one-and-no-distance", "You found one value in every step; compare the copies, they are "
                      "in the trace."),
        Misconception("1/order-is-not-t", "You took entries that follow each other for one step; t is in the entry, "
                      "and a quick worker's entries come early."),
        Misconception("1/against-worker-0", "You compared all with worker 0; two others may be on different sides of "
                      "it and further apart."),
        Misconception("1/neighbours-only", "You compared each worker with the next one; the largest difference may be "
                      "between any two."),
        Misconception("1/from-the-mean", "You measured from the mean of the copies; asked are two copies, and the mean "
                      "is a vector that no worker has."),
        Misconception("1/first-weight-only", "You compared the first number of each copy; w has P of them."),
        Misconception("1/signs-cancel", "You added up each copy before comparing; differences in two numbers can "
                      "cancel so."),
        Misconception("1/added-up", "You added up the differences of all numbers; asked is the largest one."),
        Misconception("1/square-root", "You took the Euclidean distance; asked is the largest difference in a single "
                      "number."),
        Misconception("1/mean-of-distances", "You averaged over the P numbers; asked is the largest difference."),
        Misconception("1/nearly-is-not-one", "Copies that nearly agree are not one value; numbers here are exact, and "
                      "with large weights a tolerance that is a share of them hides whole steps."),
        Misconception("1/turned-round", "The answer is turned round: True where all copies agree."),
        Misconception("1/copies-miscompared", "This is not the largest difference; do the trace by hand, it has three "
                      "steps."),
    ),
    criteria=(
        Criterion("a trace by hand", told(lambda case: {"three workers, three steps": BY_HAND}), 3),
        Criterion("synchronous", told(together), 3),
        Criterion("asynchronous", told(alone), 3),
        Criterion("combined rarely", told(rarely), 3),
        Criterion("other runs", elsewhere, 3, hidden=True),
    ),
)

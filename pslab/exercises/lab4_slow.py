"""4.6: who was slow, and was it slow for good or now and then? From what each worker did in each step.

    rounds     worker 0  ██░░░░│██░░░░│        who waits long is not the one who is slow
               worker 1  ██████│██████│
    no rounds  worker 0  ██│██│██│██│██│       all compute all the time; the slow one has fewer steps
               worker 1  ██████│██████│
"""

from __future__ import annotations

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

NAME = "who_was_slow"
KINDS = ("persistent", "transient")
Step = tuple[int, int, float, float, float]              # worker, step, began, had computed, went on (s)


def seconds_of(rng, K: int, T: int, kind: str, slow: int) -> np.ndarray:
    """(K, T) seconds of computing, about 10 ms; one worker slow for good or at some steps; another one has a hiccup."""
    seconds = 0.010 * rng.uniform(0.85, 1.15, (K, T))
    if kind == "persistent":
        seconds[slow] *= rng.uniform(1.7, 3.0)
        extra_s = float((seconds[slow] - 0.010).sum())
        hiccup_s = min(0.12 * extra_s, 0.15)
    else:
        at = rng.choice(int(0.6 * T), int(T * rng.uniform(0.08, 0.12)), replace=False)
        seconds[slow, at] *= rng.uniform(6, 9, len(at))
        hiccup_s = 0.02
    other = (slow + 1 + int(rng.integers(K - 1))) % K
    seconds[other, int(rng.integers(T // 2))] += hiccup_s
    return seconds


def trace_of(seconds: np.ndarray, rounds: bool) -> list[Step]:
    """Steps in the order in which workers went on. Without rounds everybody stops when the first has all its steps."""
    K, T = seconds.shape
    begin = np.zeros(K)
    trace: list[Step] = []
    for t in range(T):
        ready = begin + seconds[:, t]
        on = np.full(K, ready.max()) if rounds else ready
        trace += [(k, t, float(begin[k]), float(ready[k]), float(on[k])) for k in range(K)]
        begin = on
    if not rounds:
        end_s = min(step[4] for step in trace if step[1] == T - 1)
        trace = [step for step in trace if step[4] <= end_s]
    return sorted(trace, key=lambda step: (step[4], step[0]))


def who_was_slow(trace: list[Step]) -> tuple[int, str]:
    """The reference: whose computing cost most beyond the usual, and whether most of its steps were slow."""
    took = {}
    for worker, _, begun, computed, _ in trace:
        took.setdefault(worker, []).append(computed - begun)
    usual = float(np.median([s for mine in took.values() for s in mine]))
    worst = max(took, key=lambda worker: sum(took[worker]) - usual * len(took[worker]))
    return worst, KINDS[0] if np.median(took[worst]) > 1.3 * usual else KINDS[1]


def _by(measure):
    def chosen(trace):
        totals = {}
        for step in trace:
            totals.setdefault(step[0], []).append(step)
        return max(sorted(totals), key=lambda worker: measure(totals[worker]))
    return chosen


BELIEFS = {
    "4/who-waits-is-slow": _by(lambda steps: sum(on - computed for *_, computed, on in steps)),
    "4/worst-single-step": _by(lambda steps: max(computed - begun for _, _, begun, computed, _ in steps)),
    "4/all-its-computing": _by(lambda steps: sum(computed - begun for _, _, begun, computed, _ in steps)),
}


def named(traces):
    """A judge of who_was_slow on traces(rng): (words, trace, who, kind)."""
    def judge(answers, case: Case) -> Verdict:
        asked = list(traces(case.rng))
        said = [answers.call(NAME, [tuple(step) for step in trace]) for _, trace, *_ in asked]
        firsts = all(isinstance(value, (tuple, list)) and value[:1] in ((0,), [0]) for value in said)
        for (words, trace, slow, kind), value in zip(asked, said):
            if not isinstance(value, (tuple, list)) or len(value) != 2 or value[1] not in KINDS:
                return Verdict(False, "(worker, 'persistent' or 'transient')", contracts.short(value), words,
                               "all/bad-value")
            if value[0] != slow:
                why = next((why for why, rule in BELIEFS.items() if rule(trace) == value[0]), "4/not-the-slow-one")
                why = "4/rounds-are-equal" if firsts else why           # always the first of many equal ones
                return Verdict(False, f"worker {slow}", f"worker {value[0]}", words, why)
            if value[1] != kind:
                return Verdict(False, f"worker {slow}, {kind}", f"{value[1]}", words, f"4/{kind}-called-{value[1]}")
        return Verdict(True, seen=f"{len(asked)} stragglers right")
    return judge


def traces(*settings):
    """settings: (kind, whether in rounds). K, T and who is slow are drawn."""
    def drawn(rng):
        for kind, rounds in settings:
            K, T = int(rng.integers(3, 8)), int(rng.integers(50, 90))
            slow = int(rng.integers(K))
            trace = trace_of(seconds_of(rng, K, T, kind, slow), rounds)
            yield f"{K} workers, {'in rounds' if rounds else 'no rounds'}", trace, slow, kind
    return drawn


IN_ROUNDS = traces(("persistent", True), ("persistent", True), ("persistent", True))
NOW_AND_THEN = traces(("transient", True), ("transient", True), ("transient", True))
NO_ROUNDS = traces(("persistent", False), ("transient", False), ("persistent", False), ("transient", False),
                   ("transient", False))
HIDDEN = traces(*((kind, rounds) for kind in KINDS for rounds in (True, False)), *((k, r) for r in (True, False)
                for k in KINDS), *((k, r) for k in KINDS for r in (True, False)))

SLOW = Exercise(
    id="4.6", lab="4", title="Who was slow", names=(NAME,),
    signature="def who_was_slow(trace: list[tuple[int, int, float, float, float]]) -> tuple[int, str]",
    points=10, minutes=10, difficulty=2, core=False, prerequisites=("4.1",), forbidden=("pslab.ps", "pslab.train"),
    goal="A trace has a line for each step of each worker: (worker, step, when it began to compute, when it had "
         "computed, when it went on), in seconds; with rounds, workers wait between the last two, without, they do "
         "not. Name the straggler, the worker whose computing cost most time beyond what a step usually takes, and say "
         "whether it was 'persistent', slow in most of its steps, or 'transient', slow in some. Three workers or more; "
         "another one may have had a single hiccup.",
    example="steps of 10 ms; worker 2 takes 20 ms in each -> (2, 'persistent'); worker 1 takes 100 ms in three of "
            "thirty -> (1, 'transient')",
    hints=(
        "In which of the three columns of time is a worker busy, and in which does it wait for others? Who waits least "
        "in a synchronous round?",
        "Gather computed - begun by worker. The median over all of them is the usual time of a step. Whose seconds "
        "beyond it add up to most?",
        "Then look at that worker alone: is its own median well above the usual (persistent), or is it the usual one, "
        "with some long steps (transient)? Means do not tell these two apart.",
    ),
    misconceptions=(
        Misconception("4/who-waits-is-slow", "You named the one that waits most; whoever waits was early. The "
                      "straggler is waited for."),
        Misconception("4/worst-single-step", "You named the one with the longest single step; one hiccup costs less "
                      "than many slow steps."),
        Misconception("4/rounds-are-equal", "With rounds all workers have as many steps, and with the waiting in them "
                      "all are equally long; who computed longest is what tells them apart."),
        Misconception("4/all-its-computing", "You added up all computing; without rounds everybody computes all the "
                      "time. What counts is the time beyond the usual."),
        Misconception("4/not-the-slow-one", "Another worker's computing cost more time beyond the usual."),
        Misconception("4/transient-called-persistent", "Most of its steps took the usual time and some were very long, "
                      "which lifts the mean; that is a transient straggler."),
        Misconception("4/persistent-called-transient", "Most of its steps were slow; that is a persistent straggler."),
    ),
    criteria=(
        Criterion("slow for good", named(IN_ROUNDS), 2),
        Criterion("slow now and then", named(NOW_AND_THEN), 2),
        Criterion("without rounds", named(NO_ROUNDS), 3),
        Criterion("twelve traces more", named(HIDDEN), 3, hidden=True),
    ),
)

"""5.6: the least s that is good enough, found in at most twelve simulated trainings.

    ms to the target                        transient stragglers: waiting falls with s, until reads are so old that
       │█                                   the training swings and never gets there
       │█  █                        ∞  ∞
       │█  █  ▆  ▅  ▅  ▄  ▄  ▄  ▄   ┊  ┊    a persistent one: nearly the same for every s, as the lead is used up once
       └─────────────────────────────────   and everybody then waits for the slow worker, as with s = 0
     s  0  1  2  3  4  5  6  7  8   …

Good enough: within 10 % of the best s from 0 to the largest that may be chosen.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab5_common import FORBIDDEN, short
from .lab5_trainer import chosen, trained

NAME, LARGEST, WITHIN, MOST_RUNS = "choose_s", 15, 1.1, 12
STEPS, MS = 1_000, 10
OTHER_WAYS = ("ASP", "backup")
# (K, chance that a step is slow, how many times longer it takes, seed): profiles on which the answer is clear cut, so
# that nobody's way of searching decides. What that means: `clear_cut`; a test holds all of them to it.
TRANSIENT: tuple[tuple[tuple[int, float, int, int], ...], ...] = (
    ((4, 0.19, 2, 482), (5, 0.1, 2, 22), (4, 0.37, 2, 230), (4, 0.16, 2, 13), (5, 0.35, 2, 964), (6, 0.22, 2, 187),
     (5, 0.24, 2, 845), (4, 0.15, 3, 980)),                                                     # the least s is 1 or 2
    ((4, 0.15, 4, 749), (6, 0.13, 3, 600), (5, 0.36, 3, 438), (4, 0.23, 3, 451), (5, 0.18, 3, 439),
     (4, 0.38, 5, 109), (6, 0.13, 3, 870), (5, 0.16, 3, 257)),                                  # 3
    ((5, 0.19, 5, 909), (4, 0.26, 4, 289), (4, 0.34, 5, 727), (4, 0.2, 6, 71), (4, 0.29, 6, 817), (4, 0.28, 6, 971),
     (5, 0.28, 5, 491), (6, 0.3, 5, 847)),                                                      # 4 or 5
)


def transient_ms(K: int, chance: float, times: int, seed: int) -> list[list[int]]:
    slow = np.random.default_rng(seed).random((K, STEPS)) < chance
    return (MS * np.where(slow, times, 1)).tolist()


def persistent_ms(K: int, worker: int, times: int) -> list[list[int]]:
    return (MS * np.where(np.arange(K) == worker, times, 1)[:, None].repeat(STEPS, axis=1)).tolist()


@lru_cache(maxsize=64)
def curve(kind: str, *profile) -> tuple[float, ...]:
    """ms to the target for s = 0 … LARGEST."""
    ms = persistent_ms(*profile) if kind == "persistent" else transient_ms(*profile)
    return tuple(trained(ms, s)["to_target_ms"] for s in range(LARGEST + 1))


def least_good(times) -> int:
    """The reference: the least s within 10 % of the best."""
    return next(s for s, ms in enumerate(times) if ms <= WITHIN * min(times))


def clear_cut(times) -> bool:
    """Whether any sane search finds the same s: among 0, 1, 2, 4, 8 is nearly the best one, and up to there all s below
    the answer are clearly too slow, all from it on clearly good enough; the largest s is not."""
    limit, answer = WITHIN * min(times), least_good(times)
    coarse = min((0, 1, 2, 4, 8), key=lambda s: times[s])
    return (0 < answer <= coarse and times[coarse] <= 1.025 * min(times) and times[-1] > 1.2 * min(times)
            and all(ms > max(1.01 * limit, 1.004 * WITHIN * times[coarse]) for ms in times[:answer])
            and all(ms <= 0.99 * limit for ms in times[answer:coarse + 1]))


# ---- judging --------------------------------------------------------------------------------------------------------


def _asked(answers, ms, where: str):
    """(answer, runs, what is wrong with them)."""
    told = answers.run(NAME, 1, LARGEST, ms, within=chosen, trace=False).results[0]
    answer, runs = told["answer"], told["spent"]
    if isinstance(answer, bool) or not (answer in OTHER_WAYS or (isinstance(answer, int) and 0 <= answer <= LARGEST)):
        allowed = f'a whole number from 0 to {LARGEST}, "ASP" or "backup"'
        return answer, runs, Verdict(False, allowed, short(answer), where, "all/bad-value")
    return answer, runs, None


def _shown(times) -> str:
    return ", ".join("never" if ms == math.inf else f"{ms / 1e3:.2f}" for ms in times[:9]) + ", ... s for s = 0, 1, ..."


def persistent(answers, case: Case, count: int = 3) -> Verdict:
    for _ in range(count):
        K, times = int(case.rng.integers(3, 6)), int(case.rng.integers(2, 6))
        worker = int(case.rng.integers(K))
        where = f"{K} workers, worker {worker} always {times} times slower"
        answer, _, wrong = _asked(answers, persistent_ms(K, worker, times), where)
        if wrong:
            return wrong
        if answer != 0 and answer not in OTHER_WAYS:
            shown = _shown(curve("persistent", K, worker, times))
            return Verdict(False, '0, or "ASP" or "backup"', f"{answer}; {shown}", where, "5/cures-a-slow-worker")
    return Verdict(True, seen=f"{answer!r}: no s helps against a worker that is slow for good", where=where)


def _transient(answers, profiles) -> Verdict:
    for K, chance, factor, seed in profiles:
        where = f"{K} workers, {chance:.0%} of the steps {factor} times longer"
        answer, _, wrong = _asked(answers, transient_ms(K, chance, factor, seed), where)
        times = curve("transient", K, chance, factor, seed)
        right = least_good(times)
        if wrong:
            return wrong
        if answer != right:
            return Verdict(False, f"s = {right}", f"{answer!r}; {_shown(times)}", where, _why(answer, times, right))
    return Verdict(True, seen=f"s = {right}, of {_shown(times)}", where=where)


def _why(answer, times, right: int) -> str:
    if answer in OTHER_WAYS:
        return "5/gives-up-on-ssp"
    if answer == 0:
        return "5/bsp-always"
    if answer < right:
        return "5/not-within-ten"
    return "5/larger-than-needed" if times[answer] <= WITHIN * min(times) else "5/too-stale-to-learn"


def now_and_then(answers, case: Case) -> Verdict:
    return _transient(answers, [group[int(case.rng.integers(len(group)))] for group in TRANSIENT])


def spent(answers, case: Case) -> Verdict:
    """Runs of the simulator, counted."""
    most = 0
    for where, ms in (("transient stragglers", transient_ms(*TRANSIENT[1][0])), ("a persistent one",
                                                                                 persistent_ms(4, 1, 3))):
        _, runs, wrong = _asked(answers, ms, where)
        if wrong:
            return wrong
        if len(runs) > MOST_RUNS:
            return Verdict(False, f"at most {MOST_RUNS} runs of the simulator", f"{len(runs)}", where,
                           "5/too-many-runs", ratio=len(runs) / MOST_RUNS)
        most = max(most, len(runs))
    return Verdict(True, seen=f"{most} runs at most", where=f"{MOST_RUNS} are allowed")


def elsewhere(answers, case: Case) -> Verdict:
    for name, judge in (("persistent", lambda a, c: persistent(a, c, 1)), ("transient", now_and_then)):
        verdict = judge(answers, case.of(name))
        if not verdict.passed:
            return verdict
    return verdict


CHOOSE = Exercise(
    id="5.6", lab="5", title="How much staleness", names=(NAME,),
    signature="def choose_s(simulate, largest: int) -> int | str",
    points=20, minutes=20, difficulty=3, core=True, prerequisites=("5.1",), chapter_number="11.5.6",
    forbidden=FORBIDDEN,
    goal="simulate(s), s a whole number from 0, trains once with the stragglers at hand and returns "
         '{"to_target_ms": ms until the loss is at the target, math.inf if never; "iterations_per_s": of all workers}. '
         "Return the least s from 0 to `largest` whose time to the target is within 10 % of the best one, in at most "
         '12 runs. Where a worker is slow for good no finite s helps: return 0 then, or "ASP" or "backup", which do.',
    example="to_target_ms 8780, 6540, 5690, 5380, 5210, 5100, ..., best 4990 -> 3, for 5380 <= 1.1 · 4990 < 5690",
    hints=(
        "Look at the whole range coarsely first: s = 0, 1, 2, 4, 8. What do the times do under a persistent straggler, "
        "what under transient ones, and what happens for large s?",
        "More iterations a second do not mean an earlier target: reads get older. Only to_target_ms decides, and "
        "math.inf is one of its values.",
        "The best of s = 0, 1, 2, 4, 8 is b, its time t. From 0 to b times fall, so the least s with a time <= 1.1 t "
        "is found by bisection between 0 and b. If s = 0 has it, the answer is 0.",
    ),
    misconceptions=(
        Misconception("5/cures-a-slow-worker", "A worker that is slow for good sets the pace for every finite s: the "
                      "lead of the others is used up once, and then they wait at each iteration as with s = 0."),
        Misconception("5/bsp-always", "s = 0 waits for the slowest of each round; where stragglers come and go, some s "
                      "hides most of that."),
        Misconception("5/too-stale-to-learn", "With this s the training gets to the target late, or never: reads are "
                      "so old that it swings, and wider and wider."),
        Misconception("5/larger-than-needed", "A smaller s is within 10 % of the best time, too; staleness is a risk "
                      "that one takes no more of than it pays for."),
        Misconception("5/not-within-ten", "This s is not within 10 % of the best time; a larger one is."),
        Misconception("5/gives-up-on-ssp", "Stragglers that come and go are what SSP is for: a finite s hides them."),
        Misconception("5/too-many-runs", "You spent more than 12 runs; each is a training, so look coarsely first and "
                      "finely where it matters."),
    ),
    criteria=(
        Criterion("a worker that is slow for good", persistent, 5),
        Criterion("stragglers that come and go", now_and_then, 6),
        Criterion("at most twelve runs", spent, 4),
        Criterion("profiles of your own", elsewhere, 5, hidden=True),
    ),
)

"""5.1: who may begin, under SSP with a staleness of s. A clock counts committed iterations.

    commits  5 3 4     s = 2     worker 0 wants to begin iteration 5     the smallest clock is 3 >= 5 - 2: it may
             6 3 4               worker 0 wants to begin iteration 6                          3 <  6 - 2: it waits

    start[r, c] = max(end[r, c-1], max over r' of end[r', c-s-1])

At a start the lead over the slowest is at most s. Commits may be s + 1 apart: who has committed and waits is that far.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from pslab.comm import Link
from pslab.grade import Case, Criterion, Exercise, Misconception, Stalled, Verdict

from .lab5_common import FORBIDDEN, asked, first_of, profile
from .lab5_programs import MODULUS, clocked, gated, gradient

NAME = "may_begin"
LINK = Link(latency_s=0.0, overhead_s=0.0, bandwidth_Bps=1e30)            # messages take no time


def may_begin(commits, me: int, s) -> bool:
    """The reference."""
    return min(commits) >= commits[me] - s


def schedule(seconds, s) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends (K, T) of steps under the rule, without asking a gate: the recurrence above."""
    seconds = np.asarray(seconds)
    ends = np.zeros((seconds.shape[0], seconds.shape[1] + 1), int)        # ends[:, c]: c iterations are committed
    starts = np.zeros(seconds.shape, int)
    for c in range(seconds.shape[1]):
        opens = ends[:, c - s].max() if s <= c else 0
        starts[:, c] = np.maximum(ends[:, c], opens)
        ends[:, c + 1] = starts[:, c] + seconds[:, c]
    return starts, ends[:, 1:]


def largest_lead(starts: list, ends: list) -> int:
    """By how many iterations somebody was ahead of the slowest when it began one."""
    done = [np.sort(np.asarray(own, int)) for own in ends]
    return max((c - min(int(np.searchsorted(own, at, side="right")) for own in done)
                for mine in starts for c, at in enumerate(mine)), default=0)


def in_rounds(K: int, T: int) -> int:
    """w after T rounds of K workers who all read w before anybody adds to it."""
    w = 0
    for step in range(T):
        w = (w + sum(gradient(w, worker, step) for worker in range(K))) % MODULUS
    return w


BELIEFS = {
    "5/one-too-tight": lambda commits, me, s: min(commits) >= commits[me] - max(s - 1, 0),
    "5/own-clock-counts": lambda commits, me, s: min(commits) >= commits[me] + 1 - s,
    "5/one-too-loose": lambda commits, me, s: min(commits) >= commits[me] - s - 1,
    "5/really-bsp": lambda commits, me, s: min(commits) >= commits[me],
    "5/really-asp": lambda commits, me, s: True,
    "5/spread-of-commits": lambda commits, me, s: max(commits) - min(commits) <= s,
    "5/max-for-min": lambda commits, me, s: commits[me] >= max(commits) - s,
    "5/mean-for-min": lambda commits, me, s: sum(commits) / len(commits) >= commits[me] - s,
    "5/s-counts-updates": lambda commits, me, s: sum(commits[me] - other for other in commits) <= s,
    "5/not-my-clock": lambda commits, me, s: min(commits) >= commits[0] - s,
    "5/one-neighbour": lambda commits, me, s: commits[(me + 1) % len(commits)] >= commits[me] - s,
}


# ---- judging --------------------------------------------------------------------------------------------------------


def small_tables(rng) -> list[tuple]:
    """Every state of one, two and three workers with few commits, and some of more."""
    asked_ = [(list(commits), me, s) for K in (1, 2, 3) for commits in product(range(4), repeat=K)
              for me in range(K) for s in (0, 1, 2)]
    for _ in range(60):
        K = int(rng.integers(2, 9))
        asked_.append((rng.integers(0, 12, K).tolist(), int(rng.integers(K)), int(rng.integers(0, 8))))
    return asked_ + [([9, 0, 4], me, math.inf) for me in range(3)]


def _judged(seconds, s, seen: dict, where: str) -> Verdict | None:
    """What is wrong with a schedule that a gate made."""
    starts, ends = schedule(seconds, s)
    lead, right = largest_lead(seen["starts"], seen["ends"]), largest_lead(starts, ends)
    why = _explained(seconds, s, seen, "5/too-far-ahead" if lead > right else "5/waits-without-need")
    if seen["stuck"]:
        return Verdict(False, "every worker commits all its iterations", f"nobody may begin: commits {seen['commits']}",
                       where, why)
    if lead > s:
        return Verdict(False, f"a lead of at most {s} when an iteration begins", f"a lead of {lead}", where, why)
    if seen["starts"] != starts.tolist():
        took, least = max(map(max, seen["ends"])), int(ends.max())
        if lead < right:
            return Verdict(False, f"a lead that reaches {right}",
                           f"never more than {lead}; {took} ms instead of {least}", where, why)
        return Verdict(False, f"the last commit after {least} ms", f"after {took} ms, with other starts", where, why)
    return None


def _explained(seconds, s, seen: dict, otherwise: str) -> str:
    for name, belief in BELIEFS.items():
        tried = gated(belief, None, [(seconds, s)])[0]
        if tried["starts"] == seen["starts"]:
            return name
    return otherwise


def straggler(answers, case: Case) -> Verdict:
    """Real ranks, the gate at a clock server: three workers, one of them slow now and then."""
    seconds = [[20, 20, 20, 20, 20, 20, 20, 20], [20, 90, 20, 20, 20, 20, 20, 20], [20, 20, 20, 20, 20, 90, 20, 20]]
    for s in (0, 3, 1):                                         # 0 first: a gate that sticks there is known by it
        starts, ends = schedule(seconds, s)
        where = f"three workers, s={s}, with a clock server in the simulator"
        try:
            run = answers.run(NAME, 4, seconds, s, within=clocked, face="mail", link=LINK)
        except Stalled as stalled:
            tried = next((name for name, belief in BELIEFS.items()
                          if gated(belief, None, [(seconds, s)])[0]["stuck"]), "5/waits-without-need")
            return Verdict(False, "every worker comes to its end", "all wait for leave to begin", where,
                           tried if s == 0 else "5/waits-without-need", stalled.run)
        seen = {"starts": [[round(1e3 * a) for a, _ in own] for own in run.results[:3]],
                "ends": [[round(1e3 * b) for _, b in own] for own in run.results[:3]], "stuck": False}
        refused = _judged(seconds, s, seen, where)
        if refused:
            return Verdict(False, refused.expected, refused.seen, where, refused.misconception, run)
    lead = largest_lead(starts, ends)
    return Verdict(True, seen=f"{int(ends.max())} ms at s={s}, a lead of {lead}", where=where, run=run)


def profiles(answers, case: Case) -> Verdict:
    """Fifty profiles of speeds: leads kept and reached, every start as in the recurrence."""
    jobs = []
    for _ in range(50):
        K, T = int(case.rng.integers(1, 7)), int(case.rng.integers(6, 15))
        jobs.append((profile(case.rng, K, T), int(case.rng.choice([0, 1, 2, 3, 5]))))
    told = answers.run(NAME, 1, jobs, within=gated, trace=False).results[0]
    for number, ((seconds, s), seen) in enumerate(zip(jobs, told)):
        where = f"profile {number}: {len(seconds)} workers, {len(seconds[0])} iterations, s={s}"
        refused = _judged(seconds, s, seen, where)
        if refused:
            return refused
    return Verdict(True, seen="50 profiles of speeds: a lead of at most s, reached, and no wait that is not needed",
                   where=where)


def zero_is_bsp(answers, case: Case) -> Verdict:
    """s = 0: what workers add up, in whole numbers, is that of rounds, bit for bit."""
    for K, T in ((2, 12), (4, 10), (5, 8)):
        where = f"{K} workers, {T} iterations, s=0"
        seconds = profile(case.rng, K, T, "mixed")
        seen = answers.run(NAME, 1, [(seconds, 0)], within=gated, trace=False).results[0][0]
        refused = _judged(seconds, 0, seen, where)
        if seen["stuck"] or seen["w"] != in_rounds(K, T):
            why = refused.misconception if refused else "5/too-far-ahead"
            return Verdict(False, f"w = {in_rounds(K, T)}, as in rounds",
                           f"stuck at commits {seen['commits']}" if seen["stuck"] else f"w = {seen['w']}", where, why)
    return Verdict(True, seen="the same whole number as in rounds", where=where)


GATE = Exercise(
    id="5.1", lab="5", title="The gate of SSP", names=(NAME,),
    signature="def may_begin(commits: list[int], me: int, s: int) -> bool",
    points=20, minutes=20, difficulty=4, core=True, prerequisites=("2",), chapter_number="11.5.1", forbidden=FORBIDDEN,
    goal="commits[r] is how many iterations worker r has committed; worker `me` has committed its last one and wants "
         "to begin iteration c = commits[me]. Under SSP with a staleness of s it may when the smallest clock is at "
         "least c - s. Return True or False. s may be math.inf.",
    example="may_begin([5, 3, 4], 0, 2) -> True; may_begin([6, 3, 4], 0, 2) -> False; may_begin([6, 3, 4], 1, 2) -> "
            "True",
    hints=(
        "Put it into words for s = 0: nobody begins iteration c before everybody has committed c iterations, 0 to "
        "c - 1. Who is the one that holds up all others?",
        "The slowest worker must always be allowed to begin, or nothing moves at all. Try your rule on commits "
        "[0, 0, 0] with s = 0, and on [2, 0, 1] with s = 1 for each of the three.",
        "It is one comparison, of min(commits) with commits[me] - s. Not with commits[me] + 1: the iteration that is "
        "about to begin is not committed.",
    ),
    misconceptions=(
        Misconception("5/own-clock-counts", "You count the iteration that is about to begin as done; then at s = 0 "
                      "everybody waits for everybody at once, and s = 3 behaves as s = 2."),
        Misconception("5/one-too-tight", "Your gate keeps workers s - 1 apart; at a start a lead of s is allowed, and "
                      "has to be reached."),
        Misconception("5/one-too-loose", "Your gate lets somebody begin with a lead of s + 1; commits may be s + 1 "
                      "apart while a worker waits, but a start with that lead is too early."),
        Misconception("5/really-bsp", "Your gate does not look at s: everybody waits for the slowest at each "
                      "iteration, as under BSP, and no moment of slowness is hidden."),
        Misconception("5/really-asp", "Your gate holds up nobody, as under ASP; compare with the smallest clock, for "
                      "the largest is never behind your own."),
        Misconception("5/spread-of-commits", "You ask that commits be at most s apart in all; a worker near the "
                      "slowest then waits because of what a third one does, and commits may be s + 1 apart."),
        Misconception("5/max-for-min", "You hold up those who are far behind the fastest; the slow are the ones who "
                      "must never wait: compare your clock with the smallest one."),
        Misconception("5/mean-for-min", "You compare with the mean of the clocks; some fast workers then hide a slow "
                      "one, who falls back without limit."),
        Misconception("5/s-counts-updates", "You count updates of all workers together; s counts iterations of one "
                      "worker, the slowest, whatever the number of workers is."),
        Misconception("5/not-my-clock", "The clock that is compared is worker 0's; it has to be commits[me]."),
        Misconception("5/one-neighbour", "You look at one other worker; the slowest may be any of them."),
        Misconception("5/too-far-ahead", "Somebody began an iteration further ahead of the slowest than s allows."),
        Misconception("5/waits-without-need", "Somebody waits although the smallest clock is large enough; this costs "
                      "time, and at worst all wait for ever."),
    ),
    criteria=(
        Criterion("one decision at a time", asked(NAME, small_tables, may_begin, BELIEFS, "5/too-far-ahead",
                                                     "5/waits-without-need"), 5),
        Criterion("three workers and a clock server", straggler, 4),
        Criterion("fifty profiles of speeds", profiles, 5),
        Criterion("s = 0 is BSP, bit for bit", zero_is_bsp, 2),
        Criterion("fifty other profiles", first_of((profiles, zero_is_bsp), "50 other profiles, and s = 0"), 4,
                  hidden=True),
    ),
)

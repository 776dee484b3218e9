"""4.5: a round closes on the first K − b of K workers; what comes later is dropped and counted.

    worker 0  ███▸│███▸│              K = 3, b = 1: the round takes as long as the second of three
    worker 1  █████▸█████▸
    worker 2  ██████│▹██│…            ▹ late: its round has closed; never used in another one

The mean is over the K − b gradients that were used. What is saved in time is paid in gradients that nobody uses.
"""

from __future__ import annotations

import math

import numpy as np

from pslab.comm import Faults, Link
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab4_common import FORBIDDEN, described, job, naming, speeds, told
from .lab4_rounds import Way, asked, held, servers_of, simulated

NAME = "backup_server"
AT_ONCE = Link(latency_s=0.0, overhead_s=0.0, bandwidth_Bps=1e15)      # letters take no time

PLAIN = {
    "4/waits-for-all": tuple(Way(short=-n, divide=by) for n in (1, 99) for by in ("used", "asked", "all")),
    "4/mean-over-all": (Way(divide="all"),),
    "4/sum-for-mean": (Way(divide="one"),),
    "4/closes-early": (Way(short=1), Way(short=1, divide="asked")),
    "4/rows-before-the-step": (Way(rows="old"),),
}
LATE = {
    "4/late-push-counted": (Way(late="counted"), Way(late="counted", added=True)),
    "4/late-push-applied": (Way(late="applied"),),
}
COPIES = {"4/letters-counted": (Way(letters=True, added=True), Way(letters=True)), "4/copy-added": (Way(added=True),)}
TALLIES = {
    "4/missing-counted": (Way(tally="one"),),
    "4/copies-dropped": (Way(copies_dropped=True),),
}


def never_there(answers, case: Case) -> Verdict:
    """The slow ones do not even push before the end: K − b are enough, and the mean is over them."""
    jobs = []
    for K, b in ((3, 1), (5, 2), (4, 0), (4, 3)):
        seconds = speeds(case.rng, K, 4)
        seconds[case.rng.permutation(K)[:b]] += 0.5
        jobs.append(job(case.rng, seconds, b))
    return held(NAME, answers, jobs, PLAIN, "4/wrong-numbers", "K=3 and b=1, 5 and 2, 4 and 0, 4 and 3; b very slow")


def late_pushes(answers, case: Case) -> Verdict:
    """The slow ones push when the next round is open, or the one after it."""
    seconds = np.array([[5.0, 6.0, 9.0, 5.5, 6.0], [6.0, 7.5, 5.0, 6.4, 7.0], [9.1, 14.3, 7.3, 8.9, 15.2],
                        [7.2, 8.3, 22.7, 7.4, 9.3]]) * 1e-3
    jobs = [job(case.rng, seconds, 1), job(case.rng, seconds[::-1], 2), job(case.rng, speeds(case.rng, 5, 6), 2)]
    return held(NAME, answers, jobs, LATE, "4/late-push-counted", "pushes of a round that has closed")


def copies(answers, case: Case) -> Verdict:
    """The fastest one pushes twice, before the round has enough senders."""
    seconds = 1e-3 * np.array([[2.0, 9.0, 2.5, 3.0], [6.0, 3.0, 7.5, 6.6], [9.0, 7.1, 9.7, 9.2], [30, 31, 33, 29]])
    again = [(0, 0, 1e-3), (0, 0, 2e-3), (1, 1, 2e-3), (0, 2, 1.5e-3), (0, 3, 1e-3), (0, 3, 2e-3)]
    return held(NAME, answers, [job(case.rng, seconds, 1, copies=again)], COPIES, "4/letters-counted",
                "a worker pushes twice in a round")


def tally(answers, case: Case) -> Verdict:
    """Who was late how often: copies count once, pushes that never came not at all."""
    seconds = 1e-3 * np.array([[3.0] * 6, [4.0] * 6, [8.5, 3.5, 9.0, 3.4, 3.2, 7.0], [13.0, 12.4, 3.1, 14.7, 9.1, 12]])
    again = [(0, 0, 3e-3), (2, 0, 1e-3), (2, 2, 2e-3), (3, 0, 1.7e-3), (1, 3, 4.3e-3)]
    jobs = [job(case.rng, seconds, 2, copies=again), job(case.rng, seconds[[3, 1, 2, 0]], 1),
            job(case.rng, seconds[:3], 0)]
    return _tallied(answers, jobs, f"K=4 and b=2, K=4 and b=1, K=3 and b=0, {len(seconds[0])} rounds")


def _tallied(answers, jobs, where: str, **settings) -> Verdict:
    return counted(asked(answers, NAME, jobs, **settings), jobs, where, **settings)


def counted(run, jobs, where: str, **settings) -> Verdict:
    """The verdict on who was late how often."""
    settings.pop("trace", None)
    right, first, missing = simulated(jobs, **settings), 0, []
    for server, group in zip(servers_of(jobs), jobs):
        workers = range(first, server)
        wanted, seen = _counts(right, server, workers), _counts(run, server, workers)
        if seen is None:
            return Verdict(False, "(w, {worker: how many of its pushes were dropped})",
                           described(run.results[server]["value"]), where, "all/bad-value", run)
        if seen != wanted:
            rounds = len(group["seconds"][0])
            others = ((why, simulated(jobs, way, **settings)) for why, tried in TALLIES.items() for way in tried)
            why = next((why for why, other in others if _counts(other, server, workers) == seen), None)
            why = why or ("4/nothing-dropped" if not any(seen) else
                          "4/missing-counted" if sum(seen) == group["b"] * rounds else "4/dropped-miscounted")
            return Verdict(False, f"dropped by worker: {wanted}", f"{seen}",
                           f"{where}; K={len(workers)}, b={group['b']}", why, run)
        missing.append(sum(wanted))
        first = server + 1
    return Verdict(True, "dropped pushes by worker", f"{missing} dropped", where, run=run)


def _counts(run, server: int, workers) -> list[int] | None:
    if run is None:
        return None
    value = run.results[server]["value"]
    if not isinstance(value, (tuple, list)) or len(value) != 2 or not isinstance(value[1], dict):
        return None
    counts = [value[1].get(worker, 0) for worker in workers]
    if set(value[1]) - set(workers) or not all(isinstance(c, (int, np.integer)) for c in counts):
        return None
    return [int(c) for c in counts]


def time_of_rounds(answers, case: Case) -> Verdict:
    """Each round takes the (K − b)-th smallest of its drawn times, when letters take none."""
    for K, b in ((5, 1), (6, 2), (3, 0), (4, 3)):
        seconds = 5e-3 * (1 + case.rng.exponential(size=(K, 8)))
        run = asked(answers, NAME, [job(case.rng, seconds, b)], link=AT_ONCE)
        rows, begun = run.results[0]["rows"], run.results[0]["begun"]
        for at, (number, _, when_s) in enumerate(rows):
            wanted_s, took_s = float(np.sort(seconds[:, at])[K - b - 1]), when_s - begun[at]
            if number != at + 1 or not math.isclose(took_s, wanted_s, rel_tol=1e-6):
                why = "4/waits-for-all" if took_s > wanted_s else "4/closes-early"
                return Verdict(False, f"{1e3 * wanted_s:.3f} ms, the {K - b}th smallest of {K}",
                               f"{1e3 * took_s:.3f} ms", f"K={K}, b={b}, round {at}", why, run, took_s / wanted_s)
    where = "K=5 and b=1, K=6 and b=2, K=3 and b=0, K=4 and b=3"
    return Verdict(True, "the (K - b)-th smallest of the times drawn", "right in 8 rounds each", where, run=run)


def networks(answers, case: Case) -> Verdict:
    for _ in range(8):
        seconds = [speeds(case.rng, 4, 4) for _ in range(25)]
        jobs = [job(case.rng, drawn + case.rng.choice([0, 6e-3], drawn.shape, p=[0.8, 0.2]), 1) for drawn in seconds]
        seed = int(case.rng.integers(2**31))
        settings = {"faults": Faults(seed, duplicate=0.25, reorder_s=6e-3, delay_s=2e-3), "seed": seed, "trace": False}
        where = f"a network of seed {seed}"
        verdict = held(NAME, answers, jobs, {**PLAIN, **LATE, **COPIES}, "4/late-push-counted", where, **settings)
        if verdict.passed:
            verdict = counted(verdict.run, jobs, where, **settings)
        if not verdict.passed:
            return verdict
    return Verdict(True, "numbers and counts of K - b workers", "right on 200 bad networks")


def _judge(judge):
    return naming(judge, "4/nobody-is-told")


BACKUP = Exercise(
    id="4.5", lab="4", title="Backup workers", names=(NAME,),
    signature="def backup_server(comm, w: Tensor, workers: list[int], b: int, rounds: int, lr: float) "
              "-> tuple[Tensor, dict[int, int]]",
    points=25, minutes=25, difficulty=3, core=False, prerequisites=("4.1",), forbidden=FORBIDDEN,
    goal="As 4.1, but a round closes as soon as K - b different workers have pushed for it: w <- w - lr * mean over "
         "the K - b used. All workers are sent the new numbers, and one that still computes takes them up at once; its "
         "late push comes all the same, in the next round or one after it. It is never used; it is counted. Copies are "
         "neither used nor counted. Return w and {worker: how many of its pushes came after their round had closed}.",
    example="K = 3, b = 1: round 0 closes on workers 0 and 2, mean of two; the push of worker 1 for round 0 comes in "
            "round 1 -> dropped; in the end (w, {0: 0, 1: 1, 2: 0})",
    hints=(
        "What of 4.1 changes? The number of senders that is enough, what the sum is divided by, and what becomes of a "
        "letter of a round that has closed.",
        "A letter of an old round is one of three things: a late push, to be counted; a copy of a late push, counted "
        "before; a copy of a push that was used. A set of (worker, round) that you have seen tells them apart.",
        "seen = set(); for each letter: first = (src, round) not in seen; seen.add((src, round)); if its round is the "
        "open one and first: keep the gradient; if its round is an older one and first: dropped[src] += 1. Close at "
        "len(workers) - b gradients, divide by as many, post to all workers.",
    ),
    misconceptions=(
        Misconception("4/waits-for-all", "A round waited for more than K - b workers; backup workers are there so that "
                      "the slowest need not be waited for."),
        Misconception("4/closes-early", "A round closed on fewer than K - b workers."),
        Misconception("4/mean-over-all", "You divided by K; the mean is over the K - b gradients that were used, or "
                      "every step is too short."),
        Misconception("4/sum-for-mean", "You took the sum for the mean of the gradients used."),
        Misconception("4/late-push-counted", "A late push was counted in a round that is not its own; it was computed "
                      "for older numbers, and took the place of a gradient for the new ones."),
        Misconception("4/late-push-applied", "A late push was applied when it came; a round that has closed is over, "
                      "and what comes for it is dropped."),
        Misconception("4/letters-counted", "K - b letters are not K - b senders: a worker pushed twice, and the round "
                      "closed too early."),
        Misconception("4/copy-added", "A copy was added to its original; each push counts once."),
        Misconception("4/nothing-dropped", "You counted no push as dropped; backup workers are not free, and this "
                      "number is their price."),
        Misconception("4/missing-counted", "You counted who was missing when a round closed; asked is how many pushes "
                      "came late, and some are still on their way at the end."),
        Misconception("4/copies-dropped", "You counted copies; a push that was used is not dropped because it comes "
                      "again, and a dropped one is dropped once."),
        Misconception("4/dropped-miscounted", "This is not how many pushes came after their round had closed."),
        *told("4/rows-before-the-step", "4/nobody-is-told", "4/wrong-numbers"),
    ),
    criteria=(
        Criterion("without the slow ones", _judge(never_there), 5),
        Criterion("late pushes", _judge(late_pushes), 5),
        Criterion("a worker that pushes twice", _judge(copies), 3),
        Criterion("the time of a round", _judge(time_of_rounds), 4),
        Criterion("what was dropped", _judge(tally), 4),
        Criterion("200 networks", _judge(networks), 4, hidden=True),
    ),
)

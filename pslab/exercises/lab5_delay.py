"""5.4: bounded delay. A worker may have requests of at most tau iterations under way behind the one that it begins.

    tau = 1     computes   | 0 | 1 | . . . | 2 | 3 |          2 begins when 0 is answered, whatever became of 1
                on the way     |-- 0 ------|
                                   |1|

    start[t] = max(start[t-1] + compute[t-1], max over i < t - tau of finish[i])

It is about a worker's own requests, which may be answered in any order; other workers hold up nobody. That is where
it differs from SSP, and at equal numbers neither contains the other.
"""

from __future__ import annotations

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab5_common import FORBIDDEN, asked, first_of
from .lab5_programs import decided_on_sets, issued

NAME = "may_issue"
# A slow worker, and answers that overtake each other: (compute ms, wire ms, tau).
SHIPPED = ([[10] * 8, [40] * 8], [[5, 35, 5, 5, 45, 5, 5, 5], [5] * 8], 1)


def may_issue(finished, me: int, t: int, tau: int) -> bool:
    """The reference."""
    return all(i in finished[me] for i in range(t - tau))


def starts_of(compute, wire, tau: int) -> list[list[int]]:
    """When iterations begin, by the recurrence above, each worker by itself."""
    all_starts = []
    for own, on_the_way in zip(compute, wire):
        starts, finish = [], []
        for t in range(len(own)):
            ready = starts[-1] + own[t - 1] if t else 0
            starts.append(max([ready, *finish[:max(t - tau, 0)]]))
            finish.append(starts[-1] + own[t] + on_the_way[t])
        all_starts.append(starts)
    return all_starts


BELIEFS = {
    "5/delay-too-tight": lambda finished, me, t, tau: all(i in finished[me] for i in range(min(t, t - tau + 1))),
    "5/delay-too-loose": lambda finished, me, t, tau: all(i in finished[me] for i in range(t - tau - 1)),
    "5/waits-for-others": lambda finished, me, t, tau: all(i in own for own in finished for i in range(t - tau)),
    "5/counts-answers": lambda finished, me, t, tau: len(finished[me]) >= t - tau,
    "5/looks-at-one": lambda finished, me, t, tau: t <= tau or t - tau - 1 in finished[me],
    "5/window-of-requests": lambda finished, me, t, tau: t - len(finished[me]) <= max(tau, 1),
    "5/one-at-a-time": lambda finished, me, t, tau: all(i in finished[me] for i in range(t)),
    "5/nothing-held": lambda finished, me, t, tau: True,
    "5/newest-answer": lambda finished, me, t, tau: t <= tau or max(finished[me], default=-1) >= t - tau - 1,
    "5/stuck-at-the-start": lambda finished, me, t, tau: t - tau - 1 in finished[me],
    "5/not-me": lambda finished, me, t, tau: all(i in finished[0] for i in range(t - tau)),
}


def situations(rng) -> list[tuple]:
    """(finished, me, t, tau), finished as lists: drawn sets, with the first iterations more often than later ones."""
    listed: list[tuple] = [([{0, 1, 3}, {0, 1, 2}], 0, 4, tau) for tau in (0, 1, 2, 3)]
    for _ in range(160):
        K, t = int(rng.integers(1, 4)), int(rng.integers(0, 8))
        finished = [{i for i in range(max(t, 4)) if rng.random() < 0.97 - 0.5 * i / (t + 1)} for _ in range(K)]
        me = int(rng.integers(K))
        finished[me] = {i for i in finished[me] if i < t}
        listed.append(([sorted(own) for own in finished], me, t, int(rng.integers(0, 4))))
    return [([sorted(own) for own in finished], *rest) for finished, *rest in listed]


def _belief(seen: list, job: tuple, otherwise: str) -> str:
    return next((name for name, belief in BELIEFS.items() if issued(belief, None, [job])[0]["starts"] == seen),
                otherwise)


def _judged(answers, jobs: list, where: list[str]) -> Verdict | None:
    told = answers.run(NAME, 1, jobs, within=issued, trace=False).results[0]
    for job, seen, at in zip(jobs, told, where):
        right = starts_of(*job)
        if seen["starts"] == right:
            continue
        if seen["stuck"]:
            got = [len(own) for own in seen["starts"]]
            return Verdict(False, "every iteration begins",
                           f"begun: {got} of {len(right[0])}, and nothing is under way", at,
                           _belief(seen["starts"], job, "5/stuck-at-the-start"))
        got = seen["starts"]
        r, t = next((r, t) for t in range(len(right[0])) for r in range(len(right)) if got[r][t] != right[r][t])
        early = got[r][t] < right[r][t]
        return Verdict(False, f"worker {r} begins iteration {t} at {right[r][t]} ms", f"at {got[r][t]} ms", at,
                       _belief(seen["starts"], job, "5/issued-too-early" if early else "5/issued-too-late"))
    return None


def shipped(answers, case: Case) -> Verdict:
    """One worker is slow; the quick one waits for its own answers and for nobody else."""
    jobs = [SHIPPED, (*SHIPPED[:2], 3), (*SHIPPED[:2], 0)]
    where = [f"two workers, the second computes four times as long, tau={job[2]}" for job in jobs]
    end_ms = starts_of(*SHIPPED)[0][-1] + SHIPPED[0][0][-1]
    return _judged(answers, jobs, where) or Verdict(
        True, seen=f"the quick worker computes its last iteration until {end_ms} ms at tau=1; under SSP(1) it would "
        f"be {ssp_end(SHIPPED)} ms", where=where[0])


def ssp_end(job) -> int:
    """When worker 0 has computed its last iteration under SSP with s = tau."""
    tried = issued(BELIEFS["5/waits-for-others"], None, [job])[0]["starts"]
    return tried[0][-1] + job[0][0][-1]


def schedules(answers, case: Case) -> Verdict:
    """Twenty drawn schedules, in which answers overtake each other."""
    jobs = []
    for _ in range(20):
        K, T = int(case.rng.integers(1, 4)), int(case.rng.integers(5, 12))
        compute = case.rng.integers(5, 15, (K, T)) * case.rng.integers(1, 4, (K, 1))
        late, wire = case.rng.integers(30, 80, (K, T)), case.rng.integers(1, 9, (K, T))
        wire = np.where(case.rng.random((K, T)) < 0.3, late, wire)
        jobs.append((compute.tolist(), wire.tolist(), int(case.rng.integers(0, 5))))
    where = [f"schedule {i}: {len(job[0])} workers, {len(job[0][0])} iterations, tau={job[2]}" for i, job in
             enumerate(jobs)]
    return _judged(answers, jobs, where) or Verdict(True, seen="20 schedules, every start", where=where[-1])


DECISIONS = asked(NAME, situations, may_issue, BELIEFS, "5/issued-too-early", "5/issued-too-late", decided_on_sets)

DELAY = Exercise(
    id="5.4", lab="5", title="Bounded delay", names=(NAME,),
    signature="def may_issue(finished: list[set[int]], me: int, t: int, tau: int) -> bool",
    points=15, minutes=15, difficulty=3, core=False, prerequisites=("5.1",), chapter_number="11.5.4",
    forbidden=FORBIDDEN,
    goal="A worker goes on computing while its requests are under way; answers come in any order. finished[r] are "
         "those iterations of worker r, counted from 0, whose requests have all been answered. With a delay of at most "
         "tau, worker `me` may begin iteration t when all its iterations before t - tau are finished. Return True or "
         "False.",
    example="finished [{0, 1, 3}, {0}]: may_issue(finished, 0, 4, 2) -> True; may_issue(finished, 0, 4, 1) -> False, "
            "for 2 is not finished",
    hints=(
        "For tau = 0 all iterations before t have to be finished. Which of them need not be for tau = 1?",
        "Answers overtake each other, so neither the number of finished iterations nor the newest one says that all "
        "the earlier ones are there.",
        "all(i in finished[me] for i in range(t - tau)); range of a negative number is empty. finished of the other "
        "workers does not matter: that would be SSP.",
    ),
    misconceptions=(
        Misconception("5/delay-too-tight", "You wait for one iteration too many: those before t - tau have to be "
                      "finished, t - tau itself need not be."),
        Misconception("5/delay-too-loose", "You wait for one iteration too few: the one just before t - tau has to be "
                      "finished, too."),
        Misconception("5/waits-for-others", "You wait for the other workers, as SSP does; bounded delay is about the "
                      "worker's own requests."),
        Misconception("5/counts-answers", "You count finished iterations; answers overtake each other, and t - tau "
                      "finished ones need not be the first ones."),
        Misconception("5/looks-at-one", "You look at one iteration; earlier ones may still be under way, for answers "
                      "overtake each other."),
        Misconception("5/newest-answer", "You look at the newest answer; earlier requests may still be under way."),
        Misconception("5/window-of-requests", "You bound how many requests are open, as a window does; bounded delay "
                      "bounds how old the oldest of them is."),
        Misconception("5/one-at-a-time", "You wait for all earlier iterations whatever tau is; then nothing is ever "
                      "under way while the worker computes."),
        Misconception("5/nothing-held", "You hold up nobody; the oldest request may then be as old as it likes."),
        Misconception("5/stuck-at-the-start", "The first iterations never begin; before t - tau there is nothing when "
                      "t <= tau, and nothing to wait for."),
        Misconception("5/not-me", "You look at worker 0's requests; whose they are says `me`."),
        Misconception("5/issued-too-early", "An iteration begins while one before t - tau is under way."),
        Misconception("5/issued-too-late", "An iteration waits although all before t - tau are finished."),
    ),
    criteria=(
        Criterion("one decision at a time", DECISIONS, 4),
        Criterion("a schedule on which SSP waits", shipped, 4),
        Criterion("twenty schedules", schedules, 4),
        Criterion("other schedules", first_of((DECISIONS, schedules), "other situations, 20 other schedules"), 3,
                  hidden=True),
    ),
)

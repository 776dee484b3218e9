"""F and W: the same answer under many misfortunes, and in two worlds."""

from __future__ import annotations

from collections.abc import Callable

from pslab.comm import Faults

from ..exercise import Case, Verdict
from ..failures import ABOUT_THE_CODE, AnswerFailed
from .trials import Job, Trial
from .values import wrong_rank

SCHEDULES = 200
PUBLIC_SCHEDULES = 20              # of the 200, so that a check in a notebook stays below a second


def faults(job: Job, schedule: Callable[[int], Faults], *, misconception: str, schedules: int = SCHEDULES,
           public_schedules: int = PUBLIC_SCHEDULES, holds: Callable[[Trial, object], str | None] | None = None,
           only: Callable[[Trial], bool] | None = None):
    """A judge of results under seeded faults: schedule(seed) -> Faults, for many seeds, trials in turn.

    holds(trial, run): what else must be true of every run, as words of what is wrong, or None. A failure names the seed
    that replays it. Hidden cases run `schedules` of them, public ones `public_schedules`.
    """
    if min(schedules, public_schedules) < 1:
        raise ValueError(f"schedules={schedules}, public_schedules={public_schedules}; 1 or more are needed")

    def judge(answers, case: Case) -> Verdict:
        trials, run = job.on(case, only), None
        many = public_schedules if case.public else schedules
        expected = f"the {job.result} under each of {many} fault schedules"
        for i in range(many):
            trial, seed = trials[i % len(trials)], int(case.rng.integers(2**31))
            where = f"{trial}; replay with faults of seed {seed}"
            try:
                run = job.run(answers, trial, faults=schedule(seed), seed=seed)
            except ABOUT_THE_CODE:
                raise
            except AnswerFailed as failed:
                return Verdict(False, expected, failed.seen, "; ".join(filter(None, [failed.where, where])),
                               misconception, failed.run)
            found = wrong_rank(trial, run.results) if trial.expected is not None else None
            words = f"rank {found[0]}: {found[1]}" if found else holds(trial, run) if holds else None
            if words:
                return Verdict(False, expected, words, where, misconception, run)
        return Verdict(True, expected, f"right {job.result} under all of them", "", run=run)

    return judge


def two_worlds(job: Job, *, misconception: str, most: int = 3, trials: int = 2, values: bool = True):
    """A judge that runs each trial in the simulator and in real processes: equal results, equal bytes on every link.

    Real ranks share no memory, so what travelled by a global of the process is missing there. Trials of 2 to `most`
    ranks that carry something, the `trials` largest of them.
    """

    def judge(answers, case) -> Verdict:
        fit = sorted(job.on(case, lambda trial: 2 <= trial.K <= most), key=lambda trial: (trial.K, trial.P))
        for trial in fit[-trials:]:
            where = f"{trial}, in real processes"
            sim = job.run(answers, trial)
            answers.restart()                  # real ranks are forked from the student's process: what the simulated
            try:                               # ones left in its variables must not come along
                real = job.run(answers, trial, world="process")
            except ABOUT_THE_CODE:
                raise
            except AnswerFailed as failed:
                return Verdict(False, "the same as in the simulator", failed.seen, where, misconception, sim)
            found = wrong_rank(trial, real.results, sim.results) if values else None
            if found:
                return Verdict(False, "the same as in the simulator", f"rank {found[0]}: {found[1]}", where,
                               misconception, sim)
            for src in range(trial.K):
                for dst in range(trial.K):
                    one, other = sim.ledger.link(src, dst), real.ledger.link(src, dst)
                    if one != other:
                        return Verdict(False, f"{one:,} bytes from rank {src} to rank {dst}, as in the simulator",
                                       f"{other:,} bytes", where, misconception, sim)
        return Verdict(True, "the same results and bytes in both worlds", "the same", str(fit[-1]), run=sim)

    return judge

"""Criteria × answers -> a report.

A student's code that fails to answer (failures.py) ends as a verdict with the common misconception; a judge that
stumbles over a strange value ends as 'all/not-judged', so that one criterion never takes the others with it.
"""

from __future__ import annotations

import time

from .exercise import Case, CourseError, Criterion, Exercise, Verdict
from .failures import AnswerFailed, BoxTrouble, NotYet
from .report import Report


def judge(exercise: Exercise, answers, public: Case, hidden: Case | None = None, *, strict: bool = False) -> Report:
    """Run the exercise's criteria on `answers` (a handle on the student's functions).

    Visible criteria get the `public` case, hidden ones the `hidden` case; without it they are left and counted.
    strict: what a judge raises by its own fault is raised (tests of a course) and is no verdict.
    """
    report = Report(exercise, public)
    started_s = time.perf_counter()
    for criterion in exercise.criteria:
        case = hidden if criterion.hidden else public
        if case is not None:
            report.verdicts.append((criterion, verdict_of(criterion, exercise, answers, case, strict)))
    report.seconds = time.perf_counter() - started_s
    return report


def verdict_of(criterion: Criterion, exercise: Exercise, answers, case: Case, strict: bool = False) -> Verdict:
    """One criterion's verdict; its misconception is one that the exercise has (CourseError otherwise)."""
    try:
        verdict = criterion.judge(answers, case.of(criterion.name))
    except NotYet:
        return Verdict(False, "your function", f"{exercise.id}: not yet", misconception=NotYet.misconception)
    except AnswerFailed as failed:
        verdict = Verdict(False, failed.expected, failed.seen, failed.where, failed.misconception, failed.run)
    except Exception as error:
        if strict or isinstance(error, (CourseError, BoxTrouble)):
            raise
        verdict = Verdict(False, "a value that the check can read", f"{type(error).__name__}: {error}",
                          misconception="all/not-judged")
    if not isinstance(verdict, Verdict):
        raise CourseError(f"exercise {exercise.id}: criterion {criterion.name!r} gave {verdict!r}, not a Verdict")
    if not verdict.passed:
        exercise.sentence(verdict.misconception)
    return verdict
